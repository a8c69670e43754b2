"""Starts head_pose and attention beside a camera that looks at the driver.

ros2 launch c2f_head_pose driver_monitoring.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info speed:=/vehicle/twist
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = get_package_share_directory('c2f_head_pose')

ARGUMENTS = {
    'image': ('image', 'image topic (of compressed images: without /compressed)'),
    'camera_info': ('camera_info', 'calibration topic'),
    'speed': ('speed', 'geometry_msgs/TwistStamped of the car, linear.x and angular.z; optional'),
    'namespace': ('', 'namespace of both nodes, one for each camera'),
    'params_file': (os.path.join(SHARE, 'config', 'driver_monitoring.yaml'), "head_pose's parameters, in place of those of the profile"),
    'attention_params_file': (os.path.join(SHARE, 'config', 'attention.yaml'), "attention's parameters: the mount of the camera, zones"),
}


def generate_launch_description() -> LaunchDescription:
    head_pose = {name: LaunchConfiguration(name) for name in ('image', 'camera_info', 'namespace', 'params_file')}
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(os.path.join(SHARE, 'launch', 'head_pose.launch.py')), launch_arguments=head_pose.items()
            ),
            Node(
                package='c2f_head_pose',
                executable='attention_node',
                name='attention',
                namespace=LaunchConfiguration('namespace'),
                parameters=[LaunchConfiguration('attention_params_file')],
                output='screen',
                remappings=[
                    ('head_pose', 'head_pose/head_pose'),
                    ('head_poses', 'head_pose/head_poses'),
                    ('speed', LaunchConfiguration('speed')),
                ],
            ),
        ]
    )
