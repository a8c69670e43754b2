"""Starts the node head_pose beside a camera.

ros2 launch c2f_head_pose head_pose.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = get_package_share_directory('c2f_head_pose')

ARGUMENTS = {
    'image': ('image', 'image topic (of compressed images: without /compressed)'),
    'camera_info': ('camera_info', 'calibration topic'),
    'namespace': ('', 'namespace of the node, one for each camera'),
    'depth': ('depth/image', 'depth topic, beside the images (modality rgbd) or alone (depth); its camera_info is read beside it'),
    'params_file': (os.path.join(SHARE, 'config', 'head_pose.yaml'), "the node's parameters (docs/parameters.md)"),
    'log_level': ('info', 'debug, info, warn or error'),
}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()),
            Node(
                package='c2f_head_pose',
                executable='head_pose_node',
                name='head_pose',
                namespace=LaunchConfiguration('namespace'),
                parameters=[LaunchConfiguration('params_file')],
                output='screen',
                remappings=[
                    ('image', LaunchConfiguration('image')),
                    ('camera_info', LaunchConfiguration('camera_info')),
                    ('depth/image', LaunchConfiguration('depth')),
                ],
                arguments=['--ros-args', '--log-level', LaunchConfiguration('log_level')],
            ),
        ]
    )
