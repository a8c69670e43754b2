"""Defines the data that stages pass to one another: a face box, a camera, a head pose, the findings of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from . import geometry
from .counting import counted

CATEGORIES = ('L1', 'L2', 'L3', 'L4')
_OPENCV_COEFFICIENTS = (4, 5, 8, 12, 14)
_COEFFICIENTS = {'plumb_bob': _OPENCV_COEFFICIENTS, 'rational_polynomial': _OPENCV_COEFFICIENTS, 'equidistant': (4,)}
_SAME_MODEL = {'': 'plumb_bob', 'fisheye': 'equidistant'}
_WITHOUT_DISTORTION = ('none', 'pinhole')
"""Names that some drivers publish, with coefficients of 0 or without any."""
FACE_EXTENT_M = 0.184
"""Larger extent of the detector's box about an adult's face, at the range of the sellion: the mean of 12 rendered people, deviation 0.014,
by `python -m training.studies.face_box`, and of 783 portraits, deviation 0.013, by the distance of their eyes, with `--pictures`."""
FACE_ASPECT = 1.36
"""Height over width of that box: the mean of the same people and of the same portraits, deviations 0.08 and 0.06."""
WHOLE_IMAGE = (0.0, 0.0, 1.0, 1.0)
"""Left, top, right, bottom as parts of width and height."""
SELLION_FROM_BOX_M = np.array([0.055, 0.0, 0.026])
"""From the point of the head that lies in the middle of the detector's box, whatever the pose, to the sellion, in head axes: measured by
`python -m training.studies.face_box`, where it leaves 0.6 of 2.6 cm."""
SELLION_FROM_MIDDLE_M = np.array([0.09, 0.0, 0.0])
"""From the head's middle to its origin, the sellion, in head axes; an adult's head is 0.19 m deep."""


@dataclass(frozen=True)
class FaceBox:
    """A detected face in pixels of its image, beyond which it may extend.

    Pixel coordinates are continuous: the image's first pixel covers [0, 1) x [0, 1).

    Attributes:
        x1: left edge.
        y1: top edge.
        x2: right edge.
        y2: bottom edge.
        score: score of the detection, 0 to 1.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    score: float = 1.0

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y2 - self.y1

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def centred_in(self, region: Sequence[float], size: tuple[int, int]) -> bool:
        """Whether the centre lies in a part of the image. The whole image counts a face that reaches beyond its edge too.

        Args:
            region: left, top, right, bottom as parts of width and height.
            size: width and height of the image, pixels.
        """
        x, y = self.centre
        return tuple(region) == WHOLE_IMAGE or (region[0] <= x / size[0] <= region[2] and region[1] <= y / size[1] <= region[3])

    def iou(self, other: FaceBox) -> float:
        """Computes the intersection over union with another box, in [0, 1]."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        if width <= 0 or height <= 0:
            return 0.0
        intersection = width * height
        return intersection / (self.width * self.height + other.width * other.height - intersection)


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated pinhole or fisheye camera, for the pixels of the image that it belongs to.

    It takes what `cv2.calibrateCamera` and `cv2.fisheye.calibrate` return: D of any shape, and 'fisheye' for 'equidistant'.

    Attributes:
        width: image width in pixels, after binning and region of interest.
        height: image height in pixels, likewise.
        K: (3, 3) float64 intrinsics in pixels, likewise. K and D are copies, and read-only.
        D: (n,) float64 distortion coefficients; empty for a pinhole, four zeros for a fisheye without distortion (angle = radius / f).
        distortion_model: 'plumb_bob', 'rational_polynomial' or 'equidistant' (sensor_msgs/distortion_models.hpp).

    Raises:
        ValueError: for numbers that no camera has or an unknown distortion model, naming the field and the remedy.
    """

    width: int
    height: int
    K: np.ndarray
    D: np.ndarray = field(default_factory=lambda: np.zeros(0))
    distortion_model: str = 'plumb_bob'

    def __post_init__(self) -> None:
        K, D, distortion_model = checked_calibration(self.K, self.D, self.distortion_model)
        for name, array in (('K', K), ('D', D)):
            own = array.copy()
            own.flags.writeable = False
            object.__setattr__(self, name, own)
        object.__setattr__(self, 'distortion_model', distortion_model)


def checked_calibration(
    K: np.ndarray, D: np.ndarray, distortion_model: str, names: tuple[str, str, str] = ('K', 'D', 'distortion_model')
) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns a calibration as `Camera` has it.

    Args:
        K: (3, 3) intrinsics.
        D: distortion coefficients of any shape.
        distortion_model: its name; 'fisheye' is 'equidistant', none is 'plumb_bob', and 'none' and 'pinhole' are a D of 0.
        names: the names of the three for errors.

    Raises:
        ValueError: as `Camera` does.
    """
    K, D = np.asarray(K, float), np.asarray(D, float).ravel()
    model = _SAME_MODEL.get(distortion_model, distortion_model)
    if model in _WITHOUT_DISTORTION and not D.any():
        model, D = 'plumb_bob', np.zeros(0)
    if model == 'equidistant' and not D[4:].any():  # librealsense has room for five
        D = D[:4]
    if K.shape != (3, 3):
        raise ValueError(f"{names[0]} cannot be a camera's: it must be (3, 3), got {K.shape}")
    if not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise ValueError(
            f"{names[0]} cannot be a camera's: focal lengths must be finite and positive, got "
            f'{K[0, 0]:g} and {K[1, 1]:g}; calibrate with camera_calibration'
        )
    if K[1, 0] != 0 or K[2].tolist() != [0, 0, 1]:
        raise ValueError(
            f"{names[0]} cannot be a camera's: its second row must begin with 0 and its third row "
            f'must be 0, 0, 1, got {K[1:].tolist()}; calibrate with camera_calibration'
        )
    if model not in _COEFFICIENTS:
        known = ', '.join((*_COEFFICIENTS, 'fisheye'))
        raise ValueError(
            f'{names[2]} {distortion_model!r} is not known; use one of {known}, or rectify the image (in ROS: image_proc, set rectified)'
        )
    if D.size not in (0, *_COEFFICIENTS[model]) or not np.isfinite(D).all():
        raise ValueError(f'{names[1]} has {D.size} values, {model!r} needs {" or ".join(map(str, _COEFFICIENTS[model]))} finite ones')
    if not D.any():
        D = np.zeros(4 if model == 'equidistant' else 0)
    return K, D, model


@dataclass(frozen=True, eq=False)
class HeadPose:
    """One head's orientation, and its position where it is known.

    Attributes:
        R_cam_head: (3, 3) float64, maps head axes (x out of the face, y to the person's left, z to the scalp) to the
            camera's optical axes (x right, y down, z forward). Smoothed, if the estimator smooths.
        rotation_std_deg: (3,) float64 standard deviation, degrees, of the rotation vector d in
            R_true = R_cam_head exp([d]x), about the head's x, y, z axes (roll, pitch, yaw).
        category: the paper's sub-space, 'L1'..'L4' (Table 1): pitch and yaw both >= 0; pitch < 0; both < 0; yaw < 0. Of the head as the
            crop shows it, so near 0 it may differ from the signs of the angles after the ray's correction. '' for a pose read from a
            message that states none.
        category_probabilities: (4,) float64, of L1..L4, sum 1; NaN where the category is unknown.
        box: the detected face (never the widened crop); None for a ready-cut crop.
        score: detection score in [0, 1].
        track_id: the tracker's id, stable across frames; None for a single image, or for a pose read from a message.
        t_cam_head_m: (3,) float64 position of the head's origin (sellion) in the camera's optical frame, metres; None unknown.
            Smoothed, if the estimator smooths.
        t_std_m: (3,) float64 standard deviation of t_cam_head_m, metres; None where the position is unknown.
        R_cam_head_unsmoothed: (3, 3) float64, this image's own estimate.
        t_cam_head_m_unsmoothed: (3,) float64, likewise; None unknown.
        published_id: the id under which a message brought this face, as the text it is (`face_7`, `face_abcde`, any other); None
            without.
        t_cov_m2: (3, 3) float64 covariance of t_cam_head_m along the camera's axes, m^2, whose diagonal is the square of t_std_m: a
            position from the face's size is far less certain along its ray than across. None where the coordinates are independent or
            the position is unknown.
    """

    R_cam_head: np.ndarray
    rotation_std_deg: np.ndarray
    category: str
    category_probabilities: np.ndarray
    box: FaceBox | None = None
    score: float = 1.0
    track_id: int | None = None
    t_cam_head_m: np.ndarray | None = None
    t_std_m: np.ndarray | None = None
    R_cam_head_unsmoothed: np.ndarray | None = None
    t_cam_head_m_unsmoothed: np.ndarray | None = None
    published_id: str | None = None
    t_cov_m2: np.ndarray | None = None

    @property
    def yaw_pitch_roll_deg(self) -> np.ndarray:
        """(3,) float64 yaw, pitch, roll in degrees, 300W-LP signs: yaw > 0 to the image's left, pitch > 0 up, roll > 0 clockwise."""
        return geometry.ypr_deg_from_rotation(self.R_cam_head)

    @property
    def face_id(self) -> str | None:
        """Id of the face as text, for comparing and showing: the published one, else `face_<track_id>`; None where there is neither."""
        if self.published_id is not None or self.track_id is None:
            return self.published_id
        return f'face_{self.track_id}'

    @property
    def angles_reliable(self) -> bool:
        """False where the face turns away from the camera (|yaw| > 90): use the rotation there, not the angles."""
        return geometry.faces_camera(self.R_cam_head)


@dataclass(frozen=True)
class Finding:
    """Findings of the last search for faces that an option can change.

    Attributes:
        max_faces: present value of the option.
        faces_beyond_max: number of faces in the whole image that `max_faces` excluded.
        image_rotation: value of the option that would turn the images upright, where faces look turned because of the camera's mounting or
            because a person lies down; else None.
    """

    max_faces: int
    faces_beyond_max: int = 0
    image_rotation: int | None = None

    def notes(self) -> dict[str, str]:
        """Returns a message for each option that should be changed, by the option's name: the fault and the remedy."""
        notes = {}
        if self.faces_beyond_max:
            notes['max_faces'] = (
                f'{counted(self.max_faces, "face")}, as many as max_faces allows; {self.faces_beyond_max} more '
                f'{"is" if self.faces_beyond_max == 1 else "are"} ignored: '
                f'raise max_faces to {self.max_faces + self.faces_beyond_max} or more'
            )
        if self.image_rotation is not None:
            notes['image_rotation'] = (
                f'faces are detected more surely when the image is turned clockwise by {self.image_rotation} degrees, so their angles are '
                f'probably wrong: if the camera is mounted that way, set image_rotation to {self.image_rotation}'
            ) + ('' if self.image_rotation == 180 else '; if not, a person lies down')
        return notes
