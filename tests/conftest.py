"""The tests' own ROS world: a random domain on this machine only, and messages that check their fields."""
import os
import random
from pathlib import Path

# Before anything imports rclpy. 101 is the highest domain whose ports are free on every system.
os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randint(1, 101))
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.pop('ROS_LOCALHOST_ONLY', None)
os.environ['ROS_PYTHON_CHECK_FIELDS'] = '1'
os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'] = str(Path(__file__).parents[1] / 'config' / 'fastdds.xml')

import pytest


@pytest.fixture
def graph():
    """A ROS graph of this process: makes and spins nodes, and ends them after the test."""
    pytest.importorskip('rclpy', reason="needs rclpy: source a ROS installation, or pip install '.[ros]'")
    from ros_graph import Graph

    with Graph() as made:
        yield made
