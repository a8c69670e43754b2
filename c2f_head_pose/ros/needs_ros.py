"""Prints a remedy and exits if rclpy is not installed; imported before rclpy."""

import importlib.util
import sys
from pathlib import Path

REMEDY = (
    'rclpy is not installed in this Python: source your ROS 2 installation (. /opt/ros/$ROS_DISTRO/setup.bash), or install its pip '
    "wheels beside this package (pip install '.[ros]', Linux x86_64)"
)

if importlib.util.find_spec('rclpy') is None:
    if Path(sys.argv[0]).stem in ('node', 'head_pose_node', 'attention_node', 'replay_node'):
        sys.exit(f'error: {REMEDY}')  # run as a program: a line, no traceback
    raise ModuleNotFoundError(REMEDY, name='rclpy')
