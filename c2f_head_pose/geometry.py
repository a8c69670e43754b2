"""Computes with rotations. The package uses one convention, R_cam_head; only this module converts it to Euler angles.

Frames: camera optical axes x right, y down, z forward (REP-103); head axes x out of the face, y to the person's left,
z to the scalp (REP-155). `R_cam_head` maps head axes to camera axes. `R_cv = R_cam_head @ HEAD_AXES.T` is the same rotation
with renamed head axes, so that a face that looks straight into the camera has `R_cv = I`.

Euler angles follow 300W-LP: `R_cv = Rx(-pitch) Ry(yaw) Rz(roll)`; yaw > 0 turns to the image's left, pitch > 0 looks up,
roll > 0 tilts clockwise in the image. They are defined for |yaw| <= 90.
"""

from __future__ import annotations

import math

import numpy as np

HEAD_AXES = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""(3, 3) R_cam_head of a face looking straight into the camera."""

_GIMBAL = 1e-6
_IDENTITY = np.eye(3)
_NEARLY_ORTHOGONAL = 0.01
_NEWTON_STEPS = 3
"""Number of steps after which an error of 0.01 is below float64's precision: 8e-5, 5e-9, 2e-17."""


def rotation_from_ypr_deg(ypr_deg: np.ndarray) -> np.ndarray:
    """Computes the head rotation of Euler angles.

    Args:
        ypr_deg: (..., 3) yaw, pitch, roll in degrees, 300W-LP convention.

    Returns:
        (..., 3, 3) float64 R_cam_head.
    """
    yaw, pitch, roll = np.moveaxis(np.radians(np.asarray(ypr_deg, float)), -1, 0)
    return _rotation_about(0, -pitch) @ _rotation_about(1, yaw) @ _rotation_about(2, roll) @ HEAD_AXES


def ypr_deg_from_rotation(R_cam_head: np.ndarray) -> np.ndarray:
    """Computes yaw, pitch and roll of a head rotation; the inverse of `rotation_from_ypr_deg` for |yaw| < 90.

    At |yaw| = 90 (gimbal lock) roll is set to 0, and pitch holds the whole remaining rotation.

    Args:
        R_cam_head: (..., 3, 3) head rotations.

    Returns:
        (..., 3) float64 yaw, pitch, roll in degrees, 300W-LP convention.
    """
    R_cv = np.asarray(R_cam_head, float) @ HEAD_AXES.T
    yaw = np.arcsin(np.clip(R_cv[..., 0, 2], -1, 1))
    pitch = np.arctan2(R_cv[..., 1, 2], R_cv[..., 2, 2])
    roll = np.arctan2(-R_cv[..., 0, 1], R_cv[..., 0, 0])
    locked = np.hypot(R_cv[..., 0, 0], R_cv[..., 0, 1]) < _GIMBAL
    if np.any(locked):
        pitch = np.where(locked, np.arctan2(-R_cv[..., 2, 1], R_cv[..., 1, 1]), pitch)
        roll = np.where(locked, 0.0, roll)
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1))


def faces_camera(R_cam_head: np.ndarray) -> bool:
    """Whether the face's outward axis points towards the camera (|yaw| <= 90), where Euler angles are defined.

    Args:
        R_cam_head: (3, 3) head rotation.
    """
    return bool(np.asarray(R_cam_head)[2, 0] <= 0.0)


def category_index(R_cam_head: np.ndarray) -> np.ndarray:
    """Computes the paper's sub-space of head rotations from the signs of yaw and pitch; 0 counts as positive.

    The face's direction has the signs of the angles at any yaw, so no angles are computed.

    Args:
        R_cam_head: (..., 3, 3); relative to the crop's ray, for the sub-space that the network is trained on.

    Returns:
        (...) int64, 0..3 for L1..L4 (`types.CATEGORIES`): (yaw, pitch) signs (+, +), (+, -), (-, -), (-, +).

    Source: paper, Table 1.
    """
    R = np.asarray(R_cam_head, float)
    left, up = R[..., 0, 0] <= 0, R[..., 1, 0] <= 0
    return np.where(left, np.where(up, 0, 1), np.where(up, 3, 2))


def ray_rotation(ray: np.ndarray) -> np.ndarray:
    """Computes the smallest rotation that takes the optical axis +z to a ray.

    A network that sees only a crop estimates the head as if the crop's centre were on the optical axis, so
    `R_cam_head = ray_rotation(ray) @ R_crop_head`.

    Args:
        ray: (3,) direction in the camera's optical frame, any positive length.

    Returns:
        (3, 3) float64.

    Raises:
        ValueError: for a ray of zero length or opposite to the optical axis, where no smallest rotation exists.
    """
    length = float(np.linalg.norm(ray))
    if not np.isfinite(length) or length < 1e-12:
        raise ValueError(f'a ray needs a finite, non-zero direction, got {np.asarray(ray).tolist()}')
    x, y, z = np.asarray(ray, float) / length
    if z < -1 + 1e-9:
        raise ValueError('a ray opposite to the optical axis has no smallest rotation from it')
    # Rodrigues with axis z x ray and cosine z, simplified: R = I + [v]x + [v]x^2 / (1 + z), v = (-y, x, 0).
    k = 1 / (1 + z)
    return np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])


def geodesic_deg(R_a: np.ndarray, R_b: np.ndarray) -> np.ndarray:
    """Computes the angles between rotations, degrees; exact near 0 and near 180.

    Args:
        R_a: (..., 3, 3) rotations.
        R_b: (..., 3, 3) rotations.

    Returns:
        (...) float64, 0 to 180.
    """
    relative = np.swapaxes(np.asarray(R_a, float), -1, -2) @ np.asarray(R_b, float)
    sine = 0.5 * np.linalg.norm(_vee(relative), axis=-1)
    cosine = 0.5 * (np.trace(relative, axis1=-2, axis2=-1) - 1)
    return np.degrees(np.arctan2(sine, cosine))


def rotation_vector(R: np.ndarray) -> np.ndarray:
    """Computes the (3,) float64 rotation vector (axis times angle, radians) of a (3, 3) rotation: the logarithm on SO(3)."""
    x, y, z, w = quaternion = _quaternion(R)
    sine = math.sqrt(x * x + y * y + z * z)
    return np.array(quaternion[:3]) * (2.0 if sine < 1e-12 else 2 * math.atan2(sine, w) / sine)


def rotation_from_vector(vector_rad: np.ndarray) -> np.ndarray:
    """Computes the (3, 3) float64 rotation of a (3,) rotation vector in radians: the exponential on SO(3) (Rodrigues)."""
    x, y, z = np.asarray(vector_rad, float).tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    # R = I + s [v]x + k [v]x^2 with s = sin(angle) / angle, k = (1 - cos(angle)) / angle^2.
    s, k = (math.sin(angle) / angle, 2 * (math.sin(angle / 2) / angle) ** 2) if angle > 1e-12 else (1.0, 0.5)
    return np.array(
        [
            [1 - k * (y * y + z * z), k * x * y - s * z, k * x * z + s * y],
            [k * x * y + s * z, 1 - k * (x * x + z * z), k * y * z - s * x],
            [k * x * z - s * y, k * y * z + s * x, 1 - k * (x * x + y * y)],
        ]
    )


def quaternion_from_rotation(R: np.ndarray) -> np.ndarray:
    """Computes the (4,) float64 unit quaternion x, y, z, w with w >= 0 of a (3, 3) rotation.

    Source: Shepperd 1978, Quaternion from rotation matrix: the largest component is solved for first.
    """
    return np.array(_quaternion(R))


def rotation_from_quaternion(quaternion_xyzw: np.ndarray) -> np.ndarray:
    """Computes the (3, 3) float64 rotation of a quaternion x, y, z, w, which need not have unit length.

    Raises:
        ValueError: for a quaternion of zero or infinite length or with a NaN, such as that of an unset ROS message.
    """
    q = np.asarray(quaternion_xyzw, float)
    norm = float(np.linalg.norm(q))
    if not 1e-9 < norm < np.inf:
        raise ValueError(f'a quaternion needs a finite non-zero length, got {q.tolist()}')
    x, y, z, w = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """Computes the (..., 3, 3) rotations nearest to matrices in the Frobenius norm (orthogonal Procrustes with determinant +1).

    For matrices that are nearly rotations, as a network's are, Newton's iteration to the orthogonal polar factor gives the same
    rotation in a tenth of the time.

    Source: Higham 1986, "Computing the Polar Decomposition".
    """
    R = np.asarray(matrix, float)
    beyond = np.swapaxes(R, -1, -2) @ R - _IDENTITY
    if not np.abs(beyond).max(initial=0.0) < _NEARLY_ORTHOGONAL or (_determinant(R) <= 0).any():
        u, _, vt = np.linalg.svd(R)
        u[..., 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
        return u @ vt
    for _ in range(_NEWTON_STEPS):  # X (3 I - X^T X) / 2 squares the error
        R = R - 0.5 * R @ beyond
        beyond = np.swapaxes(R, -1, -2) @ R - _IDENTITY
    return R


def _rotation_about(axis: int, angle_rad: np.ndarray) -> np.ndarray:
    i, j = (axis + 1) % 3, (axis + 2) % 3
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    R = np.zeros((*np.shape(angle_rad), 3, 3))
    R[..., axis, axis] = 1
    R[..., i, i] = R[..., j, j] = c
    R[..., i, j], R[..., j, i] = -s, s
    return R


def _quaternion(R: np.ndarray) -> list[float]:
    """`quaternion_from_rotation` in Python's numbers, which for a single rotation are ten times faster than numpy's."""
    m = np.asarray(R, float).tolist()
    trace = m[0][0] + m[1][1] + m[2][2]
    squares = (m[0][0], m[1][1], m[2][2], trace)
    largest = squares.index(max(squares))
    q = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1], 1 + trace]
    if largest < 3:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        q[i], q[j], q[k], q[3] = 1 + 2 * m[i][i] - trace, m[j][i] + m[i][j], m[k][i] + m[i][k], m[k][j] - m[j][k]
    length = math.sqrt(sum(part * part for part in q))
    return [part / (-length if q[3] < 0 else length) for part in q]


def _determinant(R: np.ndarray) -> np.ndarray:
    a, b, c = R[..., 0, :], R[..., 1, :], R[..., 2, :]
    return (
        a[..., 0] * (b[..., 1] * c[..., 2] - b[..., 2] * c[..., 1])
        + a[..., 1] * (b[..., 2] * c[..., 0] - b[..., 0] * c[..., 2])
        + a[..., 2] * (b[..., 0] * c[..., 1] - b[..., 1] * c[..., 0])
    )


def _vee(R: np.ndarray) -> np.ndarray:
    return np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], axis=-1)
