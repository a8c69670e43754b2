"""Options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from ..options import EstimatorOptions
from ..recordings.pictures import PICTURE_RATE_HZ


@dataclass(frozen=True)
class Options:
    """Options of an evaluation, with the names and defaults of the command line (evaluate_bag --help)."""

    model: str = 'c2f_edge'
    depth_model: str | None = None
    device: str = 'auto'
    threads: int = 1
    second_model: str | None = None
    recorded_topic: str | None = None
    image: str | None = None
    camera_info: str | None = None
    depth: str | None = None
    rectified: bool = False
    truth: tuple[str, ...] = ()
    truth_axes: str = 'head'
    truth_parent: str = 'optical'
    truth_offset_s: float = 0.0
    truth_complete: bool = False
    max_gap_s: float = 0.1
    picture_rate_hz: float = PICTURE_RATE_HZ
    attention: str | None = None
    camera_elevation_deg: float = 0.0
    smoothing: bool = True
    max_faces: int = EstimatorOptions.max_faces
    min_face_px: int = EstimatorOptions.min_face_px
    image_rotation: int = EstimatorOptions.image_rotation
    video: bool = True
    poses: bool = True
    limit: int = 0
