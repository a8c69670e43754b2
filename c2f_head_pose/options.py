"""Defines the options of an estimator, which may change while it runs."""

from __future__ import annotations

import argparse
import math
import numbers
from dataclasses import dataclass

from .tiles import LEAST_FACE_PX
from .turn import ROTATIONS_DEG
from .types import WHOLE_IMAGE


@dataclass(frozen=True)
class EstimatorOptions:
    """Options of detection, tracking and smoothing. An estimator's options may be replaced between images.

    Attributes:
        detection_threshold: smallest score of a new face, in (0, 1).
        max_faces: largest number of faces, at least 1; those in `seat_region` before others, then the best ones, or those with the oldest
            tracks.
        min_face_px: the smallest faces that are searched for, longer side of the box in pixels. The cost of a whole search grows as
            1 / min_face_px^2. 0 chooses by the image's size, see `tiles.smallest_face_px`: 28 at 640x480, 32 at 1280x720, 48 at
            1920x1080, 96 at 3840x2160.
        image_rotation: clockwise turn in degrees that makes the image upright, for a camera mounted sideways or upside down: 0, 90, 180
            or 270. Results stay in the image's pixels and the camera's frame.
        rescan_period_s: the whole image is searched for new faces within this time, seconds; in streams the search is spread over the
            images of that time.
        track_timeout_s: a face unseen for longer loses its id, seconds; images up to 2 s apart follow each other, so one in each keeps it.
        smoothing: smooth rotations and positions over time (only where images have stamps).
        smoothing_min_cutoff_hz: cutoff for a still head, Hz; lower is steadier and slower.
        smoothing_beta: growth of the cutoff with speed, Hz per rad/s; higher lags less in turns.
        smoothing_position: smooth positions too; nothing is smoothed without `smoothing`.
        smoothing_position_min_cutoff_hz: cutoff for a head that stays where it is, Hz.
        smoothing_position_beta: growth of the cutoff with speed, Hz per m/s. At the defaults a head that moves at
            0.5 m/s lags by 23 ms, a slower one by more (52 ms on sample/head_motion, where the jitter falls from 11.3 to 2.7 mm:
            python -m training.studies.position_jitter).
        seat_region: left, top, right, bottom as parts of the image's width and height. Faces centred in this part come first where there
            are more than `max_faces`: when no place is free, one that is followed outside it gives way to one in it.
    """

    detection_threshold: float = 0.6
    max_faces: int = 10
    min_face_px: int = 0
    image_rotation: int = 0
    rescan_period_s: float = 1.0
    track_timeout_s: float = 0.5
    smoothing: bool = True
    smoothing_min_cutoff_hz: float = 0.5
    smoothing_beta: float = 3.0
    smoothing_position: bool = True
    smoothing_position_min_cutoff_hz: float = 0.5
    smoothing_position_beta: float = 3.0
    seat_region: tuple[float, float, float, float] = WHOLE_IMAGE

    def __post_init__(self) -> None:
        """Raises ValueError for a value that cannot work, naming it."""
        for name, right, allowed in (
            ('detection_threshold', 0 < self.detection_threshold < 1, 'between 0 and 1'),
            ('max_faces', isinstance(self.max_faces, numbers.Integral) and self.max_faces >= 1, 'a whole number of at least 1'),
            (
                'seat_region',
                _is_region(self.seat_region),
                'a tuple left, top, right, bottom, each 0 to 1 of width or height, with left less than right and top less than bottom',
            ),
            (
                'min_face_px',
                isinstance(self.min_face_px, numbers.Integral) and (self.min_face_px == 0 or self.min_face_px >= LEAST_FACE_PX),
                f"0 (by the image's size) or a whole number of at least {LEAST_FACE_PX}",
            ),
            ('image_rotation', self.image_rotation in ROTATIONS_DEG, 'one of 0, 90, 180 and 270'),
            ('rescan_period_s', self.rescan_period_s >= 0, 'at least 0'),
            ('track_timeout_s', self.track_timeout_s >= 0, 'at least 0'),
            ('smoothing_min_cutoff_hz', 0 < self.smoothing_min_cutoff_hz < math.inf, 'more than 0 and finite'),
            ('smoothing_beta', 0 <= self.smoothing_beta < math.inf, 'at least 0 and finite'),
            ('smoothing_position_min_cutoff_hz', 0 < self.smoothing_position_min_cutoff_hz < math.inf, 'more than 0 and finite'),
            ('smoothing_position_beta', 0 <= self.smoothing_position_beta < math.inf, 'at least 0 and finite'),
        ):
            if not right:
                raise ValueError(f'{name} must be {allowed}, got {getattr(self, name)!r}')


def _is_region(region: tuple[float, ...]) -> bool:
    return isinstance(region, tuple) and len(region) == 4 and 0 <= region[0] < region[2] <= 1 and 0 <= region[1] < region[3] <= 1


def add_finding_arguments(parser: argparse._ActionsContainer) -> None:
    """Adds the command-line options `--max-faces`, `--min-face-px` and `--image-rotation`, named as in EstimatorOptions."""
    defaults = EstimatorOptions()
    parser.add_argument(
        '--max-faces', type=int, default=defaults.max_faces, metavar='N', help='largest number of faces an image (default %(default)s)'
    )
    parser.add_argument(
        '--min-face-px',
        type=int,
        default=defaults.min_face_px,
        metavar='PX',
        help="smallest faces to search for, height in pixels; 0 chooses by the image's size (default %(default)s)",
    )
    parser.add_argument(
        '--image-rotation',
        type=int,
        default=defaults.image_rotation,
        choices=ROTATIONS_DEG,
        metavar='DEG',
        help='clockwise turn that makes the images upright, of a camera mounted sideways or upside down: 0, 90, 180, 270',
    )
