"""Options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from ..options import EstimatorOptions
from ..parameters import Parameters
from ..recordings.pictures import PICTURE_RATE_HZ

NODE_PARAMETERS = ('model', 'device', 'threads', 'rectified', 'depth_tolerance_s', *(row.name for row in fields(EstimatorOptions)))
"""Parameters of the node that decide what its estimator finds; an option of the same name means the same."""


@dataclass(frozen=True)
class Options:
    """Options of an evaluation, with the names and defaults of the command line (evaluate_bag --help).

    `params_file` has the parameters of a node that --params-file names; None without. Options of the same name come before them.
    """

    model: str = 'c2f_edge'
    depth_model: str | None = None
    device: str = 'auto'
    threads: int = 1
    params_file: Parameters | None = None
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

    @property
    def estimator_options(self) -> EstimatorOptions:
        """The estimator's options: those that have an option here, the others from the params file."""
        base = self.params_file.estimator_options() if self.params_file else EstimatorOptions()
        return replace(base, **{row.name: getattr(self, row.name) for row in fields(EstimatorOptions) if hasattr(self, row.name)})

    @property
    def depth_tolerance_s(self) -> float:
        """The largest difference of stamps between an image and its depth, seconds."""
        return (self.params_file or Parameters()).depth_tolerance_s

    @property
    def unused_parameters(self) -> list[str]:
        """Names of the params file's parameters that have no effect here, of those that differ from their default."""
        given, default = self.params_file or Parameters(), Parameters()
        return [
            row.name
            for row in fields(Parameters)
            if row.name not in NODE_PARAMETERS and getattr(given, row.name) != getattr(default, row.name)
        ]
