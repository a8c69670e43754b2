"""Rotations on tensors, written with operations that ONNX Runtime and TensorRT have."""

from __future__ import annotations

import torch
from torch import Tensor

HEAD_AXES = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0))
"""R_cam_head of a face looking straight into the camera (DESIGN section 3); R_cv = R_cam_head @ HEAD_AXES.T."""

ON_BORDER = 1e-6
"""Sine of 0.00006 degrees: a yaw or pitch labelled 0 counts as positive, also where a crop's shift turns it by less, below 0."""
_TINY = 1e-6
_CROSS_LEFT, _CROSS_RIGHT = [1, 2, 0, 2, 0, 1], [5, 3, 4, 4, 5, 3]
"""Indices into (x, y) of the factors of x cross y: x1 y2, x2 y0, x0 y1, which count positive, then x2 y1, x0 y2, x1 y0."""
_CROSS_SIGNS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))

_HALF_DIFFERENCES = (
    (0.0, 0.0, 0.0), (0.0, 0.0, -0.5), (0.0, 0.5, 0.0),
    (0.0, 0.0, 0.5), (0.0, 0.0, 0.0), (-0.5, 0.0, 0.0),
    (0.0, -0.5, 0.0), (0.5, 0.0, 0.0), (0.0, 0.0, 0.0),
)  # fmt: skip
"""From a flattened 3x3 matrix to (R21 - R12, R02 - R20, R10 - R01) / 2."""

_TURN = ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
_TURN_AXIS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""A flattened turn about the camera's z axis is cosine and sine times the first, plus the second."""
_UP_TO_COSINE_SINE = ((0.0, 1.0), (-1.0, 0.0))
"""From where an upright head's z axis points in a picture turned clockwise, x and y, to cosine and sine of the turn."""


def rotation_from_columns(columns: Tensor) -> Tensor:
    """The rotation whose first two columns are nearest to the given ones.

    The pair is orthonormalised symmetrically: A (A^T A)^(-1/2), the polar factor, so neither column is preferred as
    Gram-Schmidt would; the square root of the 2x2 Gram matrix has a closed form.

    Args:
        columns: (..., 6): the first column, then the second.

    Returns:
        (..., 3, 3).

    Source: 6D representation of Zhou et al. 2019, On the continuity of rotation representations; for 2x2
    G with s = sqrt(det G), sqrt(G) = (G + s I) / sqrt(tr G + 2 s), so its inverse is (adj G + s I) / (s sqrt(tr G + 2 s)).
    It is written with few operations, because a small graph spends more time between operations than in them.
    """
    pair = _reshaped(columns, 1, 2, 3)
    plane = columns.new_tensor((1.0, 0.0, 0.0, 1.0))  # the 2x2 identity
    gram = _reshaped(pair @ pair.transpose(-1, -2), 2, 4) + _TINY * plane
    adjugate = gram[..., [3, 2, 1, 0]] * columns.new_tensor((1.0, -1.0, -1.0, 1.0))
    s = ((gram * adjugate).sum(-1, keepdim=True) / 2).clamp(min=_TINY * _TINY).sqrt()
    trace = (gram * plane).sum(-1, keepdim=True)
    inverse_root = (adjugate + s * plane) / (s * (trace + 2 * s).sqrt())
    xy = _reshaped(_reshaped(inverse_root, 1, 2, 2) @ pair, 2, 6)
    z = (xy[..., _CROSS_LEFT] * xy[..., _CROSS_RIGHT]) @ columns.new_tensor(_CROSS_SIGNS)
    return _reshaped(torch.cat([xy, z], -1), 1, 3, 3).transpose(-1, -2)


def mixture(weights: Tensor, rotations: Tensor, stds: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of several estimates and its deviations: the estimates' own, and their disagreement, which has no gradient.

    Args:
        weights: (B, K), each row adds up to 1.
        rotations: (B, K, 3, 3).
        stds: (B, K, 3) rad.

    Returns:
        (B, 3, 3), and (B, 3) rad.
    """
    weights = weights[:, None]
    columns = rotations.transpose(-1, -2).reshape(-1, stds.shape[1], 9)  # of each rotation, one after the other
    rotation = rotation_from_columns((weights @ columns).squeeze(1)[:, :6])
    apart = sine_vector(rotation.transpose(-1, -2)[:, None] @ rotations)
    variance = (weights @ (stds.square() + apart.detach().square())).squeeze(1)
    return rotation, variance.sqrt()


def _reshaped(x: Tensor, last: int, *shape: int) -> Tensor:
    """Reshapes the last dimensions; all others but the first become constants, so the exported graph computes no shapes."""
    kept = x.dim() - last
    return x.reshape(*(-1, *map(int, x.shape[1:kept]))[:kept], *shape)


def rotation_from_ypr(ypr_rad: Tensor) -> Tensor:
    """(..., 3, 3) head rotation of (..., 3) yaw, pitch, roll in radians, the tensor twin of `c2f_head_pose.geometry`."""
    yaw, pitch, roll = ypr_rad.unbind(-1)
    cy, sy, cp, sp, cr, sr = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin(), roll.cos(), roll.sin()
    # R_cv = Rx(-pitch) Ry(yaw) Rz(roll), multiplied out
    c0 = torch.stack([cy * cr, cp * sr - sp * sy * cr, -sp * sr - cp * sy * cr], -1)
    c1 = torch.stack([-cy * sr, cp * cr + sp * sy * sr, -sp * cr + cp * sy * sr], -1)
    c2 = torch.stack([sy, sp * cy, cp * cy], -1)
    # R_cam_head = R_cv @ HEAD_AXES: its columns are -c2, c0, -c1
    return torch.stack([-c2, c0, -c1], -1)


def ypr_from_rotation(R: Tensor) -> Tensor:
    """(..., 3) yaw, pitch, roll in radians of (..., 3, 3) head rotations; for |yaw| < 90 degrees."""
    c0, c1, c2 = R[..., :, 1], -R[..., :, 2], -R[..., :, 0]
    yaw = torch.asin(c2[..., 0].clamp(-1, 1))
    pitch = torch.atan2(c2[..., 1], c2[..., 2])
    roll = torch.atan2(-c1[..., 0], c0[..., 0])
    return torch.stack([yaw, pitch, roll], -1)


def geodesic_rad(R_a: Tensor, R_b: Tensor) -> Tensor:
    """(...) angle between rotations, radians; its gradient stays finite at 0 and at 180 degrees.

    From the chord: |R_a - R_b|_F = 2 sqrt(2) sin(angle / 2).
    """
    squared = (R_a - R_b).square().sum((-2, -1)) / 8
    return 2 * torch.asin((squared + 1e-9).sqrt().clamp(max=1 - 1e-5))


def euler_distance_rad(R_a: Tensor, R_b: Tensor) -> Tensor:
    """(...) Euclidean distance of (yaw, pitch, roll) between rotations, radians, as eq. 3 measures; singular at yaw +-90 degrees."""
    # scaled to stay just below the poles, where the gradient of the arcsine is infinite
    a, b = (ypr_from_rotation(R * (1 - 1e-5)) for R in (R_a, R_b))
    difference = a - b
    return (torch.atan2(difference.sin(), difference.cos()).square().sum(-1) + 1e-9).sqrt()


def sine_vector(R: Tensor) -> Tensor:
    """(..., 3) axis of (..., 3, 3) rotations, with the sine of their angle as length; for small angles the rotation vector itself."""
    return _reshaped(R, 2, 9) @ R.new_tensor(_HALF_DIFFERENCES)


def rotation_vector(R: Tensor) -> Tensor:
    """(..., 3) rotation vector (radians) of (..., 3, 3); for a half turn the length is right and the axis arbitrary."""
    v = sine_vector(R)
    sine = v.norm(dim=-1, keepdim=True)
    cosine = (R.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True) - 1) / 2
    angle = torch.atan2(sine, cosine)
    return v * torch.where(sine > 1e-5, angle / sine.clamp(min=1e-5), torch.ones_like(sine))


def face_direction(R: Tensor) -> tuple[Tensor, Tensor]:
    """Azimuth and elevation (radians) of the face's direction, which have no singularity at 90 degrees of yaw.

    Azimuth has yaw's sign (> 0 to the image's left), elevation has pitch's (> 0 up), for any rotation.
    """
    x, y, z = R[..., 0, 0], R[..., 1, 0], R[..., 2, 0]
    return torch.atan2(-x, -z), torch.asin((-y).clamp(-1, 1))


def about_optical_axis(cosine_sine: Tensor) -> Tensor:
    """(B, 3, 3) rotations about the camera's z axis of (B, 2) cosines and sines.

    A picture that is turned clockwise by an angle shows this rotation times R_cam_head.
    """
    return (cosine_sine @ cosine_sine.new_tensor(_TURN) + cosine_sine.new_tensor(_TURN_AXIS)).reshape(-1, 3, 3)


def tilt(R: Tensor) -> Tensor:
    """By what turn about the optical axis heads are rotated from upright in the picture.

    A head is upright where its z axis points up in the picture. Unlike the roll this is what turning the picture takes away at every yaw.
    For a head seen exactly from above or below it is arbitrary.

    Args:
        R: (B, 3, 3) R_cam_head.

    Returns:
        (B, 3, 3) T about the camera's z axis; T^T R is upright.
    """
    up = R[:, :2, 2]
    length = (up.square().sum(1, keepdim=True) + _TINY * _TINY).sqrt()
    return about_optical_axis(up @ up.new_tensor(_UP_TO_COSINE_SINE) / length)


def category_of(R: Tensor) -> Tensor:
    """(...) int64, 0..3 for L1..L4 of the paper's Table 1, by the signs of (yaw, pitch): (+, +), (+, -), (-, -), (-, +)."""
    yaw_left, pitch_up = R[..., 0, 0] <= ON_BORDER, R[..., 1, 0] <= ON_BORDER
    return torch.where(yaw_left, torch.where(pitch_up, 0, 1), torch.where(pitch_up, 3, 2))
