"""The profiles and layouts in config/."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from c2f_head_pose.parameters import Parameters

CONFIG = Path(__file__).parents[2] / 'config'
PROFILES = ('cameras.yaml', 'driver_monitoring.yaml', 'hri.yaml')
TOPICS = {'/head_pose/image_annotated', '/head_pose/markers', '/head_pose/head_pose', '/head_pose/head_angles', '/diagnostics'}


@pytest.mark.parametrize('profile', PROFILES)
def test_a_profile_holds_only_differences_each_with_its_reason(profile):
    text = (CONFIG / profile).read_text()
    values = yaml.safe_load(text)['/**']['ros__parameters']
    given, default = asdict(Parameters.from_values(values)), asdict(Parameters())
    assert [name for name in values if given[name] == default[name]] == [], 'these are the defaults'
    groups = re.split(r'\n(?=    # )', text.split('ros__parameters:')[1])
    assert all(name in ''.join(group for group in groups if '#' in group) for name in values)
    assert all(line.startswith('    #') or re.match(r'    \w+: ', line) for line in text.split('ros__parameters:\n')[1].splitlines())


@pytest.mark.parametrize('layout', ['head_pose.rviz', 'head_pose_foxglove.json'])
def test_a_layout_can_be_read_and_shows_topics_that_the_node_has(layout):
    text = (CONFIG / layout).read_text()
    json.loads(text) if layout.endswith('json') else yaml.safe_load(text)
    shown = set(re.findall(r'/head_pose/\w+|/diagnostics', text))
    assert shown and shown <= TOPICS
