"""Starts head_pose for a robot that meets people: REP-155's /humans/faces, the nearest face first.

ros2 launch c2f_head_pose hri.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

SHARE = get_package_share_directory('c2f_head_pose')

ARGUMENTS = {
    'image': ('image', 'image topic (of compressed images: without /compressed)'),
    'camera_info': ('camera_info', 'calibration topic; without it faces have no position, and no TF'),
    'depth': ('depth/image', 'depth topic; used where params_file sets modality to rgbd or depth; its camera_info is read beside it'),
    'namespace': ('', 'namespace of the node; faces are listed on /humans/faces whatever it is, so start one'),
    'params_file': (os.path.join(SHARE, 'config', 'hri.yaml'), 'parameters, in place of those of config/hri.yaml: begin with a copy of it'),
    'log_level': ('info', 'debug, info, warn or error'),
}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(os.path.join(SHARE, 'launch', 'head_pose.launch.py')),
                launch_arguments={name: LaunchConfiguration(name) for name in ARGUMENTS}.items(),
            ),
        ]
    )
