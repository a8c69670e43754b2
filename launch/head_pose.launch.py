"""Starts the node head_pose beside a camera.

ros2 launch c2f_head_pose head_pose.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info
"""

import os
import shutil

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = get_package_share_directory('c2f_head_pose')
CHOSEN_TRANSPORT = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS')
ROOM_BYTES = 150_000_000

ARGUMENTS = {
    'image': ('image', 'image topic (of compressed images: without /compressed)'),
    'camera_info': ('camera_info', 'calibration topic'),
    'namespace': ('', 'namespace of the node, one for each camera'),
    'depth': ('depth/image', 'depth topic, beside the images (modality rgbd) or alone (depth); its camera_info is read beside it'),
    'params_file': (os.path.join(SHARE, 'config', 'head_pose.yaml'), 'parameters'),
    'log_level': ('info', 'debug, info, warn or error'),
}


def has_room() -> bool:
    """Whether several processes can have the profile's shared memory; containers have 64 MB by default, and nodes then log the remedy."""
    return not os.path.isdir('/dev/shm') or shutil.disk_usage('/dev/shm').free >= ROOM_BYTES


def generate_launch_description() -> LaunchDescription:
    actions = [DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()]
    if not any(os.environ.get(name) for name in CHOSEN_TRANSPORT) and has_room():
        # Fast DDS's own shared memory is smaller than an image; every process of this launch gets more, as ros/transport.py gives nodes.
        actions.append(SetEnvironmentVariable('FASTRTPS_DEFAULT_PROFILES_FILE', os.path.join(SHARE, 'config', 'fastdds.xml')))
    actions.append(
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
        )
    )
    return LaunchDescription(actions)
