"""Images through shared memory, between processes."""
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from c2f_head_pose.ros import transport

ROOT = Path(__file__).parents[1]


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
    assert transport.share_large_images() == ROOT / 'config' / 'fastdds.xml'


@pytest.mark.ros
def test_video_crosses_processes_with_nothing_lost_on_the_way(tmp_path):
    """Three seconds of 640x480 at 10 Hz through the measuring command: thirty images, each answered or counted as dropped.

    Slow enough for a busy test machine; the figures at 30 Hz are measured by the command itself.
    """
    pytest.importorskip('rclpy', reason='needs rclpy')
    report = tmp_path / 'report.json'
    done = subprocess.run([sys.executable, '-m', 'c2f_head_pose.ros.latency', '--seconds', '3', '--rate', '10', '--json', str(report)],
                          cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 2), done.stderr
    seen = json.loads(report.read_text())
    assert seen['sent'] == 30 and seen['foreign'] == 0
    assert seen['answered'] >= 28, f'{done.stdout}\n{done.stderr}'
    assert len(seen['latency_ms']) == seen['answered'] and min(seen['latency_ms']) > 0
    assert 'publish to pose: median' in done.stdout
