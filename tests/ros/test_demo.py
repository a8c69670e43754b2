"""`make demo` on recordings of one's own: other topics, no calibration, nobody in view."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')
pytest.importorskip('matplotlib', reason="needs the demo extra: pip install '.[demo]'")

from bag_making import START_NS, Recording, Scene, image_message, write_bag

from c2f_head_pose.ros import demo

pytestmark = pytest.mark.ros


def own_bag(path, absent: bool):
    """Two seconds at 5 Hz under a topic of its own, without camera_info."""
    scene = Scene(duration_s=2.0, rate_hz=5.0, absent=lambda t: absent)
    recording = Recording()
    for t in scene.times_s:
        stamp_ns = START_NS + round(t * 1e9)
        recording.add('/cabin/left', 'sensor_msgs/msg/Image', stamp_ns, lambda s, t=t, n=stamp_ns: image_message(s, scene.image(t), n))
    return write_bag(path, recording)


def test_a_recording_of_ones_own_is_replayed_whatever_its_topic(tmp_path, capsys):
    assert demo.main(['--bag', str(own_bag(tmp_path / 'own', absent=False)), '--output', str(tmp_path / 'out')]) == 0
    said = capsys.readouterr().out
    assert ' images answered, each with its own stamp' in said
    assert ' of 0 images' not in said, 'without camera_info nobody counted the images sent'
    rows = list(csv.DictReader((tmp_path / 'out' / 'poses.csv').read_text().splitlines()))
    assert {int(row['stamp_ns']) for row in rows} <= {START_NS + k * 200_000_000 for k in range(10)}


def test_a_recording_of_nobody_ends_with_a_reason(tmp_path, capsys):
    assert demo.main(['--bag', str(own_bag(tmp_path / 'own', absent=True)), '--output', str(tmp_path / 'out')]) == 1
    assert 'no face was found in ' in capsys.readouterr().err


@pytest.mark.parametrize(('name', 'reason'), [('text.mcap', 'does not begin as an MCAP file'), ('nowhere', 'no recording')])
def test_a_path_that_is_no_recording_is_reported_with_the_replays_message(name, reason, tmp_path, capsys):
    (tmp_path / 'text.mcap').write_text('a letter\n')
    assert demo.main(['--bag', str(tmp_path / name), '--output', str(tmp_path / 'out')]) == 1
    assert reason in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_named_before_anything_starts(tmp_path, capsys):
    (tmp_path / 'out').touch()
    assert demo.main(['--output', str(tmp_path / 'out')]) == 1
    assert 'File exists' in capsys.readouterr().err


def test_drops_and_images_of_nobody_are_distinguished(tmp_path):
    """Of four images sent one is dropped, and one of the three answered shows nobody."""
    picture = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1]
    recording = demo.Recording(
        rotations={1: np.eye(3), 2: np.eye(3)},
        arrivals_s={1: 0.1, 2: 0.2},
        pictures=dict.fromkeys((1, 2, 3), picture),
        images=dict.fromkeys((1, 2, 3, 4), 0.0),
    )
    answered, dropped, *_ = demo.write(recording, tmp_path)
    assert answered == '3 of 4 images answered, each with its own stamp; no face was found in 1 of them'
    assert dropped.startswith('1 image was dropped, because')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_demo_and_its_nodes_in_order(tmp_path, number):
    """As soon as the node's log is there: both nodes have been started."""
    log = (tmp_path / 'demo.log').open('w+')
    process = subprocess.Popen(
        [sys.executable, '-m', 'c2f_head_pose.ros.demo', '--output', tmp_path / 'out'],
        cwd=Path(__file__).parents[2],
        stdout=log,
        stderr=log,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what a shell starts in the background ignores it
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (tmp_path / 'out' / 'node.log').exists():
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) == 130
    finally:
        process.kill()
    log.seek(0)
    said = log.read()
    assert 'stopped' in said and 'Traceback' not in said
