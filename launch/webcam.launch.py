"""Starts a webcam's driver, usb_cam or v4l2_camera, whichever is installed, and head_pose behind it.

ros2 launch c2f_head_pose webcam.launch.py device:=/dev/video0
"""

from __future__ import annotations

import os
import shutil

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = get_package_share_directory('c2f_head_pose')

ARGUMENTS = {
    'device': ('/dev/video0', 'video device'),
    'camera_info_url': ('', 'calibration, as file:///home/me/webcam.yaml; without it faces have no position'),
    'namespace': ('', 'namespace of both nodes'),
    'params_file': (os.path.join(SHARE, 'config', 'head_pose.yaml'), "head_pose's parameters"),
}

CHOSEN_TRANSPORT = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS')
ROOM_BYTES = 150_000_000

DRIVERS = (('usb_cam', 'usb_cam_node_exe'), ('v4l2_camera', 'v4l2_camera_node'))


def installed_driver() -> tuple[str, str] | None:
    """Package and executable of the first driver installed; None if there is none."""
    for package, executable in DRIVERS:
        try:
            get_package_prefix(package)
        except PackageNotFoundError:
            continue
        return package, executable
    return None


def shared_memory() -> dict[str, str]:
    """The driver's environment for images of its size, as ros/transport.py gives it to each of our nodes by the same rules."""
    if any(os.environ.get(name) for name in CHOSEN_TRANSPORT):
        return {}
    if os.path.isdir('/dev/shm') and shutil.disk_usage('/dev/shm').free < ROOM_BYTES:
        return {}
    by_interface = os.environ.get('ROS_DISTRO') == 'humble' and os.environ.get('ROS_LOCALHOST_ONLY') == '1'
    return {CHOSEN_TRANSPORT[0]: os.path.join(SHARE, 'config', 'fastdds_localhost.xml' if by_interface else 'fastdds.xml')}


def generate_launch_description() -> LaunchDescription:
    if (driver := installed_driver()) is None:
        return LaunchDescription(
            [
                LogInfo(
                    msg='no webcam driver is installed: install ros-$ROS_DISTRO-usb-cam or ros-$ROS_DISTRO-v4l2-camera, '
                    'or start your own driver and use head_pose.launch.py'
                ),
                Shutdown(reason='no webcam driver'),
            ]
        )
    package, executable = driver
    device, url = LaunchConfiguration('device'), LaunchConfiguration('camera_info_url')
    named = (
        {'video_device': device, 'camera_info_url': url, 'frame_id': 'webcam_optical_frame'}
        if package == 'usb_cam'
        else {'video_device': device, 'camera_info_url': url, 'camera_frame_id': 'webcam_optical_frame'}
    )
    head_pose = {
        'image': 'image_raw',
        'camera_info': 'camera_info',
        'namespace': LaunchConfiguration('namespace'),
        'params_file': LaunchConfiguration('params_file'),
    }
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=text) for name, (default, text) in ARGUMENTS.items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(os.path.join(SHARE, 'launch', 'head_pose.launch.py')), launch_arguments=head_pose.items()
            ),
            Node(
                package=package,
                executable=executable,
                name='webcam',
                namespace=LaunchConfiguration('namespace'),
                parameters=[named],
                output='screen',
                additional_env=shared_memory(),
            ),
        ]
    )
