"""Defines the parameters of the node `replay` in one table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from ...parameters import Change, ParameterTable, parameter
from ...recordings.pictures import PICTURE_RATE_HZ

_at_start = partial(parameter, change=Change.START)


@dataclass(frozen=True)
class ReplayParameters(ParameterTable):
    """Every parameter of the node `replay`: this class is the table."""

    path: str = _at_start(
        '', 'A rosbag2 folder, an .mcap, .db3 or .bag file, or a folder of pictures; the command line can give it instead.'
    )
    image_topic: str = _at_start('', 'The image topic in the recording; empty to find it as evaluate_bag does.')
    transport: str = _at_start(
        'raw', 'raw: compressed pictures are decoded, so that `image` is fed; recorded: published as they are.', choices=('raw', 'recorded')
    )
    topics: str = _at_start(
        'recorded',
        'recorded: under the names in the recording; plain: `image`, `camera_info`, `depth/image` and `depth/camera_info`.',
        choices=('recorded', 'plain'),
    )
    stamps: str = _at_start(
        'recorded',
        "recorded: kept; now: shifted so that the first image's is when it is played, and by each pause; the clock too.",
        choices=('recorded', 'now'),
    )
    rate: float = _at_start(1.0, '1.0 is real time, 0.5 half as fast.', '', 0.01, 1000.0)
    picture_rate_hz: float = _at_start(PICTURE_RATE_HZ, 'Pictures a second, for a folder of pictures.', 'Hz', 0.01, 1000.0)
    start_offset_s: float = _at_start(
        0.0, 'Begin this far into the recording, with the calibration that holds there; loop goes back there.', 's', 0.0, math.inf
    )
    loop: bool = _at_start(False, 'Start again at the end, one image period after the last image.')
    clock: bool = _at_start(
        False, "Publish the recording's time on /clock, 100 times a second and before each message; nothing while paused."
    )
    start_paused: bool = _at_start(False, 'Publish nothing until ~/pause continues it.')
    wait_for_subscriber_s: float = _at_start(
        30.0, 'Wait at most this long for a subscriber of the image; 0 starts at once.', 's', 0.0, math.inf
    )
