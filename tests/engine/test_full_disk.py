"""A disk that is full or read-only, for real: a file system in memory, of half a megabyte."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import gpu_stand_in
import numpy as np
import pytest
from engine_plans import KEY, PLAN, never

from c2f_head_pose.engine import provision
from c2f_head_pose.engine.cache import EngineCache
from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.models.registry import model_path

DEADLINE_S = 120


@pytest.fixture
def small_disk(tmp_path):
    """A folder that holds half a megabyte."""
    if os.geteuid() != 0:
        pytest.skip('only root may mount a file system')
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', tmp_path], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f'no file system can be mounted here: {done.stderr.strip()}')
    yield tmp_path
    subprocess.run(['umount', '--lazy', tmp_path], check=True)


def fill(folder: Path) -> None:
    with (folder / 'rest').open('wb', buffering=0) as file, pytest.raises(OSError) as full:
        while True:
            file.write(bytes(4096))
    assert full.value.errno == errno.ENOSPC


def make_read_only(folder: Path) -> None:
    subprocess.run(['mount', '-o', 'remount,ro', folder], check=True)


def test_an_engine_that_does_not_fit_is_used_and_the_reason_reported(small_disk):
    cache = EngineCache(small_disk)
    fill(small_disk)
    got = cache.get(KEY, lambda: PLAN)
    assert got.plan == PLAN and 'No space left' in got.note and 'free some space' in got.note
    (small_disk / 'rest').unlink()
    assert cache.get(KEY, lambda: PLAN).note == '' and cache.find(KEY) == PLAN
    assert not list(small_disk.glob('*.part'))


def test_an_engine_in_a_read_only_folder_is_used_and_a_missing_one_built_every_time(small_disk):
    """As root, too, which a folder without write permission would let write."""
    cache = EngineCache(small_disk)
    cache.get(KEY, lambda: PLAN)
    make_read_only(small_disk)
    assert cache.get(KEY, never).plan == PLAN
    got = cache.get(replace(KEY, precision='int8'), lambda: b'other')
    assert got.plan == b'other' and 'Read-only file system' in got.note and 'C2F_HEAD_POSE_ENGINES' in got.note


@pytest.fixture
def provided(small_disk, monkeypatch):
    """The engine that a program gets for its GPU, from the process that builds; the small disk holds the cache."""
    gpu_stand_in.stand_in(monkeypatch.setattr)
    builder = sys.executable, gpu_stand_in.__file__
    monkeypatch.setattr(provision, 'build_in_process', partial(provision.build_in_process, command=builder))
    monkeypatch.setenv('C2F_HEAD_POSE_ENGINES', str(small_disk))

    def get():
        first = OnnxRuntimeEngine(model_path(gpu_stand_in.MODEL))
        engine = provision.engine_for_gpu(first, gpu_stand_in.MODEL, required=True)
        if engine.description.startswith('cpu'):
            engine.wait(DEADLINE_S)
        return engine

    return get


def test_a_program_uses_the_engine_that_was_built_for_it_where_the_disk_is_full(small_disk, provided):
    """The disk still makes an empty file, so only the write at the end of the build fails."""
    fill(small_disk)
    engine = provided()
    assert engine.description.startswith('cuda (stand-in), not stored: ') and 'No space left on device' in engine.description
    assert 'free some space' in engine.description and not [*small_disk.glob('*.engine'), *small_disk.glob('*.part')]
    (small_disk / 'rest').unlink()
    assert provided().description == 'cuda (stand-in)' and list(small_disk.glob('*.engine'))
    assert provided().description == 'cuda (stand-in)', 'from the cache now'


def test_a_program_uses_the_engine_that_was_built_for_it_where_the_folder_is_read_only(small_disk, provided):
    make_read_only(small_disk)
    description = provided().description
    assert description.startswith('cuda (stand-in), not stored: ')
    assert 'Read-only file system' in description and 'C2F_HEAD_POSE_ENGINES' in description


@pytest.mark.ros
def test_a_neutral_that_cannot_be_kept_is_refused_with_the_reason_and_the_node_goes_on(small_disk, request):
    """A person looks into the camera for eight images; the disk is full, then read-only, then has room."""
    pytest.importorskip('rclpy', reason='needs rclpy')
    from ros_graph import image_message
    from std_srvs.srv import Trigger

    graph = request.getfixturevalue('graph')
    results = graph.hear_results()
    graph.head_pose_node(neutral_folder=str(small_disk / 'neutral'), neutral_window_s=30.0)
    publisher = graph.image_publisher()
    image = np.zeros((480, 640, 3), np.uint8)
    image[120:360, 200:440] = cv2.resize(cv2.imread(str(Path(__file__).parents[1] / 'data' / 'face.jpg')), (240, 240))

    def look(first):
        for number in range(first, first + 8):
            before = len(results.markers)
            publisher.publish(image_message(image, 1.0 + number / 32))
            graph.wait_until(lambda n=before: len(results.markers) > n, 'an answer')

    look(0)
    assert results.poses, 'the face is seen'
    fill(small_disk)
    full = graph.call(Trigger, '/head_pose/set_neutral', Trigger.Request())
    assert not full.success and 'No space left' in full.message and 'neutral_folder' in full.message
    look(8)
    (small_disk / 'rest').unlink()
    make_read_only(small_disk)
    read_only = graph.call(Trigger, '/head_pose/set_neutral', Trigger.Request())
    assert not read_only.success and 'Read-only file system' in read_only.message
    look(16)
    graph.wait_for_state('ok')
