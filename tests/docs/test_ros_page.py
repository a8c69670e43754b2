"""The page on topics: its example runs beside the real node."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason="needs rclpy: source a ROS installation, or pip install '.[ros]'")

from ros_graph import LATCHED, camera_info, image_message
from sensor_msgs.msg import CameraInfo

import sample

ROOT = Path(__file__).parents[2]
EXAMPLE = re.search(r'```python\n(.*?)```', (ROOT / 'docs' / 'ros.md').read_text(), re.S)[1]


@pytest.mark.ros
def test_the_example_tells_who_looks_at_the_camera_from_who_looks_aside_and_from_nobody(graph, tmp_path):
    """The recording's frames that look most and least along -z: within 15 degrees of the camera, and more than 30 off it; then none."""
    along = [-frame.R_cam_head[2, 0] for frame in sample.frames()]
    frames = {'yes': sample.frames()[int(np.argmax(along))], 'no': sample.frames()[int(np.argmin(along))]}
    assert min(along) < np.cos(np.radians(30))
    camera = frames['yes'].camera
    graph.head_pose_node(smoothing=False)
    graph.image_publisher(CameraInfo, '/camera_info', LATCHED).publish(camera_info(camera.width, camera.height, float(camera.K[0, 0])))
    images, stamps = graph.image_publisher(), itertools.count(1)
    told = tmp_path / 'told.txt'
    with told.open('w') as file:
        example = subprocess.Popen([sys.executable, '-c', EXAMPLE], cwd=ROOT, stdout=file)
    try:
        for answer in ('yes', 'no'):

            def seen(answer=answer):
                images.publish(image_message(frames[answer].image, 10 + next(stamps) / 16))
                return answer in told.read_text().split()

            assert 'no' not in told.read_text().split()
            graph.wait_until(seen, answer)
        graph.wait_until(lambda: told.read_text().endswith('nobody\n'), 'nobody')
    finally:
        example.terminate()
        example.wait(10)
