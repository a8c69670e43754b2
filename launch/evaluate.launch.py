"""Replays a bag through the node head_pose and evaluates what it answers.

ros2 launch c2f_head_pose evaluate.launch.py bag:=PATH output:=DIR
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = get_package_share_directory('c2f_head_pose')

ARGUMENTS = {
    'bag': (None, 'rosbag2 folder or .bag file'),
    'output': ('evaluation', 'folder for metrics.json, frames.csv and report.html'),
    'truth': ('', "topic, tf:FRAME or CSV file with the true head pose, 'none', or empty: a topic with 'truth' in its name"),
    'image_topic': ('', 'image topic in the bag; empty to find it'),
    'rate': ('1.0', 'speed of the replay; 1.0 is real time'),
    'params_file': (os.path.join(SHARE, 'config', 'head_pose.yaml'), "head_pose's parameters"),
}


def generate_launch_description() -> LaunchDescription:
    # Live poses are what it evaluates, so nothing is drawn or written again here; run evaluate_bag for that.
    evaluation = Node(
        package='c2f_head_pose',
        executable='evaluation_node',
        output='screen',
        arguments=[
            LaunchConfiguration('bag'),
            '--output',
            LaunchConfiguration('output'),
            '--truth',
            LaunchConfiguration('truth'),
            '--image',
            LaunchConfiguration('image_topic'),
            '--no-video',
            '--no-poses',
        ],
        remappings=[('pose', '/head_pose/head_pose'), ('poses', '/head_pose/head_poses')],
    )
    replay = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(os.path.join(SHARE, 'launch', 'replay.launch.py')),
        launch_arguments={name: LaunchConfiguration(name) for name in ('bag', 'image_topic', 'rate', 'params_file')}.items(),
    )
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()),
            replay,
            evaluation,
            RegisterEventHandler(OnProcessExit(target_action=evaluation, on_exit=[Shutdown(reason='evaluated')])),
        ]
    )
