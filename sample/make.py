"""Makes the sample recording: a rendered person looks around. python sample/make.py (needs the training extra).

sample/head_motion is a rosbag2 folder (mcap) with /camera/image/compressed (JPEG, 640x480, 30 Hz), /camera/camera_info and the truth,
/truth/head_pose (geometry_msgs/PoseStamped: R_cam_head and the sellion's position in the camera's frame). Nobody in it exists.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from c2f_head_pose.geometry import quaternion_from_rotation

START_NS = 1_700_000_000_000_000_000
FRAME_ID = 'camera_optical'
JPEG_QUALITY = 72
TYPES = get_typestore(Stores.ROS2_JAZZY)
T = TYPES.types


def write(folder: Path, frames: Iterable, fps: float) -> None:
    """Writes frames of training.synthetic.recordings.sequence as a rosbag2 recording, one file."""
    shutil.rmtree(folder, ignore_errors=True)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        image, info, truth = (
            bag.add_connection(topic, kind, typestore=TYPES)
            for topic, kind in (
                ('/camera/image/compressed', 'sensor_msgs/msg/CompressedImage'),
                ('/camera/camera_info', 'sensor_msgs/msg/CameraInfo'),
                ('/truth/head_pose', 'geometry_msgs/msg/PoseStamped'),
            )
        )
        for number, frame in enumerate(frames):
            stamp_ns = START_NS + round(number / fps * 1e9)
            header = T['std_msgs/msg/Header'](T['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 1_000_000_000)), FRAME_ID)
            for connection, message in (
                (info, camera_info(header, frame.camera)),
                (truth, pose(header, frame.R_cam_head, frame.t_cam_head_m)),
                (image, picture(header, frame.image_bgr)),
            ):
                bag.write(connection, stamp_ns, TYPES.serialize_cdr(message, connection.msgtype))
            print(f'\r{number + 1} frames', end='', file=sys.stderr, flush=True)
    print(file=sys.stderr)


def picture(header, image):
    """CompressedImage of a BGR image."""
    data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].ravel()
    return T['sensor_msgs/msg/CompressedImage'](header, 'jpeg', data)


def pose(header, R_cam_head, t_cam_head_m):
    """PoseStamped of a head in the camera's frame."""
    position = T['geometry_msgs/msg/Point'](*map(float, t_cam_head_m))
    orientation = T['geometry_msgs/msg/Quaternion'](*map(float, quaternion_from_rotation(R_cam_head)))
    return T['geometry_msgs/msg/PoseStamped'](header, T['geometry_msgs/msg/Pose'](position, orientation))


def camera_info(header, camera):
    """CameraInfo of an undistorted camera."""
    P = np.c_[camera.K, np.zeros(3)]
    roi = T['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    return T['sensor_msgs/msg/CameraInfo'](
        header, camera.height, camera.width, 'plumb_bob', np.zeros(5), camera.K.ravel(), np.eye(3).ravel(), P.ravel(), 0, 0, roi
    )


def main():
    """Renders and writes sample/head_motion."""
    from training.synthetic.recordings.sequence import render_sequence

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--output', type=Path, default=Path(__file__).parent / 'head_motion')
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--fps', type=float, default=30.0)
    parser.add_argument('--seed', type=int, default=2, help='picks the person, the room and the light')
    options = parser.parse_args()
    write(options.output, render_sequence(options.seconds, options.fps, options.seed, depth_model=None), options.fps)


if __name__ == '__main__':
    main()
