"""Starts a node head_pose for each of several cameras, each in its camera's namespace, without TF: two would publish the same frames.

ros2 launch c2f_head_pose cameras.launch.py cameras:='front rear'     # /front/image_raw -> /front/head_pose/head_pose, ...
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

SHARE = get_package_share_directory('c2f_head_pose')

ARGUMENTS = {
    'cameras': (None, 'namespaces of the cameras, separated by spaces'),
    'image': ('image_raw', 'image topic below each namespace'),
    'camera_info': ('camera_info', 'calibration topic below each namespace'),
    'params_file': (
        os.path.join(SHARE, 'config', 'cameras.yaml'),
        'parameters of all nodes, in place of config/cameras.yaml: begin with a copy of it',
    ),
    'log_level': ('info', 'debug, info, warn or error'),
}


def nodes(context) -> list:
    """One included launch file for each camera."""
    same = {name: LaunchConfiguration(name) for name in ('image', 'camera_info', 'params_file', 'log_level')}
    path = os.path.join(SHARE, 'launch', 'head_pose.launch.py')  # a source can be included only once
    return [
        IncludeLaunchDescription(PythonLaunchDescriptionSource(path), launch_arguments={**same, 'namespace': camera}.items())
        for camera in LaunchConfiguration('cameras').perform(context).split()
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()),
            OpaqueFunction(function=nodes),
        ]
    )
