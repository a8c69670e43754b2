"""Images through shared memory, between processes."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import pytest

from c2f_head_pose.ros import transport

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def of_any_distribution(request, monkeypatch):
    """As where the user has not kept ROS to this machine; the tests themselves do so on Humble. Not for those that start processes."""
    if not request.node.get_closest_marker('ros'):
        monkeypatch.delenv('ROS_LOCALHOST_ONLY', raising=False)


def test_a_segment_of_the_profile_holds_several_full_hd_images():
    """1920 x 1080 x 3 bytes are 6.2 MB; five of them fit 32 MB."""
    text = '{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}'
    profile = ElementTree.parse(ROOT / 'config' / 'fastdds.xml').getroot()
    assert int(profile.find(f'.//{text}segment_size').text) >= 5 * 1920 * 1080 * 3


def test_the_profile_is_used_unless_the_user_has_set_one(monkeypatch):
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE')
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', '/theirs.xml')
    assert transport.share_large_images() == Path('/theirs.xml')
    monkeypatch.delenv('FASTDDS_DEFAULT_PROFILES_FILE')
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', '')
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    monkeypatch.setattr(transport, '_free_mb', lambda: 1000)
    assert transport.share_large_images() == ROOT / 'config' / 'fastdds.xml'


def started_by_launch(monkeypatch) -> Path | None:
    """The profile that webcam.launch.py gives to the driver; the modules of launch, which pip does not have, are stand-ins."""
    modules = ('launch', 'launch.actions', 'launch.launch_description_sources', 'launch.substitutions', 'launch_ros', 'launch_ros.actions')
    stand_ins = {name: mock.MagicMock() for name in (*modules, 'ament_index_python.packages')}
    stand_ins['ament_index_python.packages'].get_package_share_directory = lambda _: str(ROOT)
    with monkeypatch.context() as context:
        for name, module in stand_ins.items():
            context.setitem(sys.modules, name, module)
        runpy.run_path(str(ROOT / 'launch' / 'webcam.launch.py'))['generate_launch_description']()
    (driver,) = stand_ins['launch_ros.actions'].Node.call_args_list
    profile = driver.kwargs['additional_env'].get('FASTRTPS_DEFAULT_PROFILES_FILE')
    return profile and Path(profile)


@pytest.mark.parametrize('variable', ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS'])
def test_what_the_user_has_set_is_kept_by_nodes_and_launch_files(variable, monkeypatch):
    """A profile of one of Fast DDS's two names, or its transports, which a profile of ours would replace."""
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', '')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: mock.Mock(free=10**9))
    assert started_by_launch(monkeypatch) == ROOT / 'config' / 'fastdds.xml'
    monkeypatch.setenv(variable, 'theirs')
    before = dict(os.environ)
    transport.share_large_images()
    assert dict(os.environ) == before and started_by_launch(monkeypatch) is None


@pytest.mark.parametrize(
    ('distribution', 'only', 'name'),
    [
        ('humble', '1', 'fastdds_localhost.xml'),
        ('humble', '0', 'fastdds.xml'),
        ('humble', '', 'fastdds.xml'),
        ('jazzy', '1', 'fastdds.xml'),
    ],
)
def test_localhost_only_of_humble_stays_in_force(distribution, only, name, monkeypatch):
    """Humble keeps to this machine by UDP's interfaces, which a profile replaces; later ones by discovery, which no profile changes."""
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', '')
    monkeypatch.setenv('ROS_DISTRO', distribution)
    monkeypatch.setenv('ROS_LOCALHOST_ONLY', only)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: mock.Mock(free=10**9))
    assert started_by_launch(monkeypatch) == ROOT / 'config' / name
    assert transport.share_large_images() == ROOT / 'config' / name


def test_the_profile_for_localhost_restricts_udp_to_this_machine_and_is_otherwise_the_same():
    text = '{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}'
    anywhere, localhost = (ElementTree.parse(ROOT / 'config' / f'fastdds{only}.xml').getroot() for only in ('', '_localhost'))
    (udp,) = (one for one in localhost.iter(f'{text}transport_descriptor') if one.findtext(f'{text}type') == 'UDPv4')
    allowed = udp.find(f'{text}interfaceWhiteList')
    assert [address.text for address in allowed] == ['127.0.0.1']
    udp.remove(allowed)
    assert [''.join(one.itertext()).split() for one in localhost] == [''.join(one.itertext()).split() for one in anywhere]


@pytest.mark.parametrize(('free_mb', 'used'), [(64, False), (149, False), (150, True), (None, True)])
def test_the_profile_needs_shared_memory_for_several_processes(free_mb, used, monkeypatch, caplog):
    """A container has 64 MB by default, where each process takes 36 MB; 150 MB hold the four of a small graph; macOS has no /dev/shm."""
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', '')
    usage = mock.Mock(side_effect=FileNotFoundError) if free_mb is None else lambda _: mock.Mock(free=free_mb * 10**6)
    monkeypatch.setattr(shutil, 'disk_usage', usage)
    monkeypatch.setattr(os.path, 'isdir', lambda path, isdir=os.path.isdir: isdir(path) and (path != '/dev/shm' or free_mb is not None))
    assert (started_by_launch(monkeypatch) is not None) == used
    assert (transport.share_large_images() is not None) == used == bool(os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'])
    assert ('start the container with --shm-size=1g or --ipc=host' in caplog.text) != used


def test_another_dds_is_not_warned_of_the_shared_memory_of_fast_dds(monkeypatch, caplog):
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', '')
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: mock.Mock(free=0))
    assert transport.share_large_images() is None and not caplog.text


@pytest.mark.ros
def test_video_crosses_processes_and_every_image_is_accounted_for(tmp_path):
    """Three seconds of 640x480 at 10 Hz through the measuring command: thirty images, each answered or counted by the cause of its loss.

    Without the shared memory of the profile most are lost on the way; so they are on a machine with more to do than it has time for,
    where only the accounting is looked at. The first one or two may come before the subscription knows the publisher.
    """
    pytest.importorskip('rclpy', reason='needs rclpy')
    report = tmp_path / 'report.jsonl'
    command = [
        sys.executable,
        '-m',
        'c2f_head_pose.ros.measure.latency',
        '--seconds',
        '3',
        '--video',
        '640x480@10',
        '--faces',
        '0',
        '--annotated',
        'on',
        '--append',
        str(report),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode in (0, 2), done.stderr
    (seen,) = (json.loads(line) for line in report.read_text().splitlines())
    assert seen['sent'] == 30 and seen['foreign'] == 0
    busy = max(map(float, seen['conditions']['load before and after'].split(', '))) > 2 * os.cpu_count()
    assert seen['answered'] >= (1 if busy else 15), f'{done.stdout}\n{done.stderr}'
    assert seen['answered'] + sum(seen['dropped'].values()) == 30 and seen['dropped'].get('unexplained', 0) <= 2
    assert len(seen['latency_ms']) == 101 and 0 < seen['latency_ms'][0] <= seen['latency_ms'][50] <= seen['latency_ms'][100]
    assert 0 < seen['cpu']['detect'] < seen['cpu']['node'] and seen['annotated'] > 0
    assert f'| 640x480@10 | 0 | on | {seen["answered"]} of 30 |' in done.stdout


def test_five_faces_are_five_frames_of_the_recording_in_one_image():
    """640x480 in three columns of 213 pixels and two rows of 240: each picture is scaled by 213 / 640, so is its focal length of 575."""
    pytest.importorskip('rclpy', reason='needs rclpy')
    from c2f_head_pose import HeadPoseEstimator
    from c2f_head_pose.images import image_from_message
    from c2f_head_pose.ros.measure.latency_frames import load_frames

    image, info = load_frames(ROOT / 'sample' / 'head_motion', 640, 480, 5)[0]
    assert (image.width, image.height, info.width, info.height) == (640, 480, 640, 480)
    assert info.k[0] == pytest.approx(575 * 213 / 640, rel=1e-6)
    assert len(HeadPoseEstimator.load().estimate(image_from_message(image))) == 5


def test_a_video_that_cannot_be_read_is_refused_with_how_to_write_it():
    pytest.importorskip('rclpy', reason='needs rclpy')
    from c2f_head_pose.ros.measure.latency import Case

    with pytest.raises(ValueError, match='WIDTHxHEIGHT@RATE'):
        _ = Case('640x480', 1, False).parts
    assert Case('1280x720@29.97', 1, False).parts == (1280, 720, 29.97)
