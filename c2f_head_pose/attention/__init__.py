"""From head poses to a decision about attention: attentive, distracted, absent or unknown."""

from .looking_at import LookingAt, LookingAtSettings
from .monitor import AttentionMonitor
from .settings import Attention, AttentionSettings, Motion, Reason, State
from .zones import Zone, ZoneMap, load_zones

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
    'load_zones',
]
