"""Defines the parameters of the node `head_pose` in one table, and how such a table is validated. The evaluation reads it too."""

from __future__ import annotations

import dataclasses
import difflib
import enum
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .options import EstimatorOptions
from .turn import ROTATIONS_DEG


class Change(enum.Enum):
    """When a parameter may be changed."""

    LIVE = 'live'
    UNCONFIGURED = 'while unconfigured'
    START = 'at start only'


DECIMAL_POINTS = 'write each number of the list with a decimal point, as in 0.0 and 1.0'
"""The remedy for a list of whole numbers and others, which rcl refuses in a params file and `ros2 param set` hands over as a text."""


class ParameterError(ValueError):
    """A parameter set that cannot be used; the text names each parameter, its value and the remedy."""


def parameter(
    default: Any,
    text: str,
    unit: str = '',
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[Any, ...] = (),
    change: Change = Change.LIVE,
    optional: bool = False,
) -> Any:
    """Makes one row of the table. A tuple of numbers has a fixed length; a text may be empty only by default or if optional."""
    return dataclasses.field(
        default=default,
        metadata={
            'text': text,
            'unit': unit,
            'minimum': minimum,
            'maximum': maximum,
            'choices': choices,
            'change': change,
            'optional': optional,
        },
    )


LONGEST_WINDOW_S = 30.0
"""The longest time that a neutral is learned from."""
LONGEST_TF_WAIT_S = 1.0
"""The longest time that an image waits for TF."""
_OPTIONS = EstimatorOptions()


Table = TypeVar('Table', bound='ParameterTable')

_LARGEST = 1 << 63
"""ROS's whole numbers have 64 bits; YAML's may have any number, more than a float holds."""


@dataclass(frozen=True)
class ParameterTable:
    """A frozen dataclass whose fields are a node's parameters, each made by `parameter`."""

    @classmethod
    def contradictions(cls, checked: Mapping[str, Any]) -> list[str]:
        """Returns faults of the combination of values that are valid one by one; none by default."""
        return []

    @classmethod
    def from_values(cls: type[Table], values: Mapping[str, Any]) -> Table:
        """Makes a complete validated set.

        Args:
            values: parameter values by name; names left out take their default.

        Raises:
            ParameterError: naming every wrong parameter, its value and what it may be.
        """
        checked, problems = {}, []
        for row in fields(cls):
            try:
                checked[row.name] = _checked(row, values.get(row.name, row.default))
            except ParameterError as error:
                problems.append(str(error))
        if not problems:
            problems += cls.contradictions(checked)
        if problems:
            raise ParameterError('; '.join(problems))
        return cls(**checked)

    def changed(self: Table, values: Mapping[str, Any], configured: bool) -> Table:
        """Returns the set with some values changed, validated as a whole.

        Args:
            values: the new values by name.
            configured: whether a model is loaded, which fixes some parameters.

        Raises:
            ParameterError: as `from_values`, and for a parameter that cannot be changed now.
        """
        new = type(self).from_values({**dataclasses.asdict(self), **values})
        fixed = [
            f'{row.name} cannot become {getattr(new, row.name)!r} while a model is loaded: deactivate and clean up the node first '
            '(ros2 lifecycle set NODE deactivate; ros2 lifecycle set NODE cleanup), set it, configure and activate again'
            for row in fields(self)
            if row.metadata['change'] is Change.UNCONFIGURED and getattr(new, row.name) != getattr(self, row.name)
        ]
        if configured and fixed:
            raise ParameterError('; '.join(fixed))
        return new


@dataclass(frozen=True)
class Parameters(ParameterTable):
    """Every parameter of the node `head_pose`: this class is the table."""

    model: str = parameter(
        'c2f_edge', 'Shipped model name, or path to an .onnx file that training.export wrote.', change=Change.UNCONFIGURED
    )
    device: str = parameter('auto', 'Where the network runs.', choices=('auto', 'cpu', 'cuda'), change=Change.UNCONFIGURED)
    threads: int = parameter(1, 'CPU threads of the networks and of OpenCV.', minimum=1, maximum=64, change=Change.UNCONFIGURED)
    image_transport: str = parameter(
        'raw', 'Subscribe to `image` (raw) or to `image/compressed`.', choices=('raw', 'compressed'), change=Change.UNCONFIGURED
    )
    modality: str = parameter(
        'rgb',
        'rgb: images alone; rgbd: also `depth/image`, registered to the image by the driver, or '
        'here from `depth/camera_info` and TF; depth: `depth/image` alone, with `depth/camera_info`.',
        choices=('rgb', 'depth', 'rgbd'),
        change=Change.UNCONFIGURED,
    )
    depth_model: str = parameter(
        'c2f_depth',
        'Model for depth and rgbd (modality depth), shipped name or path; empty, rgbd takes '
        'positions from depth and orientations from the image.',
        change=Change.UNCONFIGURED,
        optional=True,
    )
    depth_transport: str = parameter(
        'raw',
        'Subscribe to `depth/image` (raw) or to `depth/image/compressedDepth`.',
        choices=('raw', 'compressedDepth'),
        change=Change.UNCONFIGURED,
    )
    depth_tolerance_s: float = parameter(0.02, 'Largest difference of stamps with which depth belongs to an image.', 's', 0.0, 1.0)
    depth_wait_s: float = parameter(0.02, 'Longest time that an image waits for depth that comes after it.', 's', 0.0, 1.0)
    rectified: bool = parameter(False, 'The image is rectified (image_rect): use P of camera_info without distortion.')
    detection_threshold: float = parameter(_OPTIONS.detection_threshold, 'Faces that score lower are ignored.', '', 0.01, 0.99)
    max_faces: int = parameter(
        _OPTIONS.max_faces,
        'Largest number of faces per image: those in `seat_region` first, then the best or longest followed.',
        '',
        1,
        100,
    )
    min_face_px: int = parameter(
        _OPTIONS.min_face_px,
        "Height of the smallest face that is searched for, 14 pixels or more; 0 chooses it by the image's size: 28 at 640x480, 32 at "
        '1280x720, 48 at 1920x1080. Half of it takes up to three times as long in a still, and up to a sixth longer in a stream '
        '(docs/finding_faces.md).',
        '',
        0,
        10000,
    )
    image_rotation: int = parameter(
        _OPTIONS.image_rotation,
        'Clockwise turn in degrees that makes the image upright, for a camera mounted '
        "sideways or upside down; results stay in the image and the camera's frame.",
        choices=ROTATIONS_DEG,
    )
    rescan_period_s: float = parameter(
        _OPTIONS.rescan_period_s,
        'Time within which a new face is found (a faint, motionless one later); the search of the whole image is spread over it.',
        's',
        0.0,
        60.0,
    )
    track_timeout_s: float = parameter(
        _OPTIONS.track_timeout_s,
        'A face unseen for this long loses its id; one that is in every image keeps it where these are up to 2 s apart.',
        's',
        0.0,
        60.0,
    )
    smoothing: bool = parameter(_OPTIONS.smoothing, "Smooth each face's rotation and position over time.")
    smoothing_min_cutoff_hz: float = parameter(
        _OPTIONS.smoothing_min_cutoff_hz, 'Cutoff of a head at rest: lower is steadier, with more lag.', 'Hz', 0.01, 100.0
    )
    smoothing_beta: float = parameter(
        _OPTIONS.smoothing_beta, 'How fast the cutoff rises with angular speed: higher lags less.', 'Hz per rad/s', 0.0, 100.0
    )
    smoothing_position: bool = parameter(_OPTIONS.smoothing_position, 'Smooth positions too; without `smoothing` nothing is smoothed.')
    smoothing_position_min_cutoff_hz: float = parameter(
        _OPTIONS.smoothing_position_min_cutoff_hz,
        'Cutoff of a head that stays in place: lower is steadier, with more lag.',
        'Hz',
        0.01,
        100.0,
    )
    smoothing_position_beta: float = parameter(
        _OPTIONS.smoothing_position_beta, 'How fast the cutoff of positions rises with speed: higher lags less.', 'Hz per m/s', 0.0, 1000.0
    )
    primary_face: str = parameter(
        'largest',
        'Which face goes to `~/head_pose` and `~/head_angles`; the largest or nearest stays until another is a fifth larger, or nearer. '
        'While it is not seen, for up to `track_timeout_s`, nothing goes there unless such a face comes.',
        choices=('largest', 'nearest', 'longest_tracked'),
    )
    seat_region: tuple = parameter(
        _OPTIONS.seat_region,
        'The primary face is one whose box is centred in this part of the image: left, top, right, bottom; such faces are followed '
        'before others where there are more than `max_faces`.',
        'of width or height',
        0.0,
        1.0,
    )
    target_frame: str = parameter(
        '',
        "Poses, boxes and markers are given in this frame instead of the camera's, and smoothed in it; angles and TF stay the camera's.",
        change=Change.UNCONFIGURED,
    )
    target_frame_from: str = parameter(
        'tf',
        'Where the camera is in target_frame: from TF, or from `mount_position_m` and `mount_rotation_deg`.',
        choices=('tf', 'mount'),
        change=Change.UNCONFIGURED,
    )
    mount_position_m: tuple = parameter(
        (0.0, 0.0, 0.0), 'Camera in target_frame: x, y, z.', 'm', -1000.0, 1000.0, change=Change.UNCONFIGURED
    )
    mount_rotation_deg: tuple = parameter(
        (0.0, 0.0, 0.0),
        'Optical frame in target_frame: roll, pitch, yaw about fixed x, y, z (URDF).',
        'deg',
        -360.0,
        360.0,
        change=Change.UNCONFIGURED,
    )
    target_frame_wait_s: float = parameter(
        0.2, 'Longest time that an image waits for TF that comes after it; where TF is there, nothing waits.', 's', 0.0, LONGEST_TF_WAIT_S
    )
    neutral: str = parameter(
        'person',
        "`~/set_neutral` learns the primary face's offset (the person looks into the camera; corrects poses and angles of that face alone) "
        "or the mount's (looks straight ahead; corrects angles).",
        choices=('person', 'mount'),
    )
    neutral_window_s: float = parameter(1.0, '`~/set_neutral` learns from the images of this last while.', 's', 0.1, LONGEST_WINDOW_S)
    neutral_folder: str = parameter(
        '',
        "Folder of the neutral's files, one for each camera; empty for c2f_head_pose in $ROS_HOME or ~/.ros.",
        change=Change.UNCONFIGURED,
    )
    lazy: bool = parameter(False, 'Answer images only while somebody subscribes to a result (TF counts).')
    hri: bool = parameter(
        False, 'Publish REP-155 topics below /humans/faces, and name faces by short random ids.', change=Change.UNCONFIGURED
    )
    hri_announce_after: int = parameter(
        3, 'A face is announced once seen in this many images in a row.', '', 1, 1000, change=Change.UNCONFIGURED
    )
    hri_drop_after: int = parameter(
        15,
        'An announced face is dropped after this many images without it, or once its id is lost (`track_timeout_s`), whichever is first.',
        '',
        1,
        1000,
        change=Change.UNCONFIGURED,
    )
    publish_tf: bool = parameter(True, 'Publish TF face_<id> and gaze_<id> for faces whose position is known.')
    silence_timeout_s: float = parameter(
        3.0,
        'After this time without an image, or with one image in the model, the node logs the cause; after this time without an answer it '
        "empties REP-155's list.",
        's',
        0.1,
        4.5,
    )
    autostart: bool = parameter(
        True,
        "Configure and activate at start; false leaves that to a lifecycle manager (Nav2's: bond_timeout 0.0, docs/ros.md).",
        change=Change.START,
    )

    @classmethod
    def contradictions(cls, checked: Mapping[str, Any]) -> list[str]:
        """What the estimator refuses, such as an empty region."""
        try:
            EstimatorOptions(**{name: checked[name] for name in _option_names()})
        except ValueError as error:
            return [str(error)]
        return []

    def estimator_options(self, base: EstimatorOptions | None = None) -> EstimatorOptions:
        """Returns the estimator's options of this set; options without a parameter are taken from `base`."""
        return dataclasses.replace(base or EstimatorOptions(), **{name: getattr(self, name) for name in _option_names()})


def nearest_name(name: str, table: type[ParameterTable] = Parameters) -> str | None:
    """Returns the parameter that a misspelt name probably means; None if none is near."""
    return next(iter(difflib.get_close_matches(name, [row.name for row in fields(table)], 1)), None)


def _option_names() -> list[str]:
    options = {option.name for option in fields(EstimatorOptions)}
    return [row.name for row in fields(Parameters) if row.name in options]


def _checked(row: dataclasses.Field, value: Any) -> Any:
    default: Any = row.default
    kind = type(default)
    if kind is float and type(value) is int and abs(value) < _LARGEST:
        value = float(value)
    if kind is tuple:
        return _checked_numbers(row, value)
    choices, low, high = row.metadata['choices'], row.metadata['minimum'], row.metadata['maximum']
    right = (
        type(value) is kind
        and (not choices or value in choices)
        and (kind is not str or default == '' or row.metadata['optional'] or value.strip() != '')
    )
    if right and low is not None:
        right = low <= value <= high
    if not right:
        raise ParameterError(f'{row.name} cannot be {value!r}: use {allowed(row)} (default {yaml_value(default)})')
    return value


def _checked_numbers(row: dataclasses.Field, value: Any) -> tuple[float, ...]:
    low, high, default = row.metadata['minimum'], row.metadata['maximum'], row.default
    assert isinstance(default, tuple)
    numbers = tuple(value) if isinstance(value, (list, tuple, array)) else ()
    if len(numbers) != len(default) or not all(type(n) in (int, float) and low <= n <= high for n in numbers):
        shown = list(numbers) or value
        mixed = f'; {DECIMAL_POINTS}' if isinstance(value, str) and value.startswith('[') else ''
        raise ParameterError(f'{row.name} cannot be {shown!r}: use {allowed(row)} (default {yaml_value(row.default)}){mixed}')
    return tuple(float(n) for n in numbers)


def allowed(row: dataclasses.Field) -> str:
    """Returns what a parameter may be, in words."""
    if isinstance(row.default, tuple):
        unit = f' {row.metadata["unit"]}' if row.metadata['unit'] else ''
        return f'{len(row.default)} numbers, each {row.metadata["minimum"]:g} to {row.metadata["maximum"]:g}{unit}'
    kind = {bool: 'true or false', int: 'an integer', float: 'a number', str: 'a string'}[type(row.default)]
    low, high, unit = row.metadata['minimum'], row.metadata['maximum'], row.metadata['unit']
    if row.metadata['choices']:
        choices = [str(choice) for choice in row.metadata['choices']]
        return ', '.join(choices[:-1]) + ' or ' + choices[-1]
    return kind if low is None else f'{kind}, {low:g} to {high:g}{" " + unit if unit else ""}'


def yaml_value(value: Any) -> str:
    """Returns a parameter's value as it stands in a .yaml file."""
    if isinstance(value, tuple):
        return str(list(value))
    return "''" if value == '' else str(value).lower() if isinstance(value, bool) else str(value)
