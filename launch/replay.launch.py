"""Replays a recording through the node head_pose.

    ros2 launch c2f_head_pose replay.launch.py bag:=PATH

The replay's other parameters, such as clock and start_offset_s, are for replay_node itself: beside head_pose.launch.py run
`ros2 run c2f_head_pose replay_node PATH --ros-args -p topics:=plain -p clock:=true -p start_offset_s:=10.0`, or give them in a
params file. `ros2 service call /replay/pause std_srvs/srv/SetBool '{data: true}'` pauses it.
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('c2f_head_pose')

ARGUMENTS = {
    'bag': (None, 'rosbag2 folder, .bag file, or folder of pictures'),
    'image_topic': ('', 'image topic in the bag; empty to find it'),
    'rate': ('1.0', 'speed of the replay; 1.0 is real time'),
    'loop': ('false', 'start again at the end'),
    'stamps': ('recorded', 'recorded: as in the recording; now: moved to the time of the replay'),
    'params_file': (os.path.join(SHARE, 'config', 'head_pose.yaml'), "head_pose's parameters"),
}


def generate_launch_description() -> LaunchDescription:
    replay = {
        name: ParameterValue(LaunchConfiguration(name), value_type=type_)
        for name, type_ in (('image_topic', str), ('rate', float), ('loop', bool), ('stamps', str))
    }
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(os.path.join(SHARE, 'launch', 'head_pose.launch.py')),
                launch_arguments={'params_file': LaunchConfiguration('params_file')}.items(),
            ),
            Node(
                package='c2f_head_pose',
                executable='replay_node',
                output='screen',
                parameters=[{'path': ParameterValue(LaunchConfiguration('bag'), value_type=str), 'topics': 'plain', **replay}],
            ),
        ]
    )
