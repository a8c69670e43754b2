"""Decides from head poses about a driver's attention (attentive, distracted, absent or unknown), and whom a person looks at."""

from .looking_at import LookingAt, LookingAtSettings
from .monitor import AttentionMonitor
from .settings import Attention, AttentionSettings, Motion, Reason, State
from .vehicle_profile import find_zones, load_zones
from .zones import Zone, ZoneMap

__all__ = [
    'Attention',
    'AttentionMonitor',
    'AttentionSettings',
    'LookingAt',
    'LookingAtSettings',
    'Motion',
    'Reason',
    'State',
    'Zone',
    'ZoneMap',
    'find_zones',
    'load_zones',
]
