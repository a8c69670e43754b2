"""What is drawn of a portrait: the fitted head with the hair's volume, and the body and long hair about it as a rounded sheet.

Coordinates are metres in the portrait's own camera frame (x right, y down, z forward), the mesh's origin at 0; a texture coordinate is
a place in the portrait, 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from .fit import Fit
from .head import GUMS, SKIN, HeadModel

_NECK_CM = (-8.0, -17.0)  # mesh heights between which the turn falls from the head's to the torso's
_CUT_CM = -13.5  # the head's mesh ends here: portraits show collars
_JAW_CM, _NAPE_CM = -8.2, -5.0  # lower end of the head proper, in front and behind
_PROFILE_BINS = 180
_HAIR_RANGE = (0.9, 1.7)  # of the hair's outline over the skull's
_SKULL_CM = 7.9  # half the skull's width at the ears
_STEP_PX = 6
_THICKNESS_CM = 10.0
_NECK_WIDTH_CM = (6.0, 9.0)
_SLIVER_CM = 2.0  # thinner parts of the sheet would be seen as threads beside a turned head


@dataclass(frozen=True, eq=False)
class Sheet:
    """The rounded sheet: a grid's points inside the person's outline, front and back.

    Attributes:
        points: (N, 3) metres.
        triangles: (M, 3).
        uv: (N, 2).
        follow: (N,) share of the head's turn, 1 the head's, 0 the torso's.
    """

    points: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    follow: np.ndarray


def follow_of(height_cm: np.ndarray) -> np.ndarray:
    """The share of the turn between head and torso that points at such heights of the mesh take."""
    top, bottom = _NECK_CM
    q = np.clip((height_cm - bottom) / (top - bottom), 0, 1)
    return q * q * (3 - 2 * q)


def scalp_share(model: HeadModel) -> np.ndarray:
    """(V,) 0..1: how far a vertex moves with the hair: none on the face, all on skull and nape."""
    beyond = np.clip((model.beyond_face - 1.0) / 3.5, 0, 1)
    height = np.clip((model.neutral[:, 1] + 5.0) / 5.0, 0, 1)
    share = beyond * beyond * (3 - 2 * beyond) * height
    share[model.kind != SKIN] = 0
    return share


def ears(model: HeadModel) -> np.ndarray:
    """(V,) 0..1, how far a vertex stands out from the skull as an ear."""
    out = np.clip((np.abs(model.neutral[:, 0]) - _SKULL_CM) / 0.8, 0, 1)
    return np.where((model.kind == SKIN) & (np.abs(model.neutral[:, 1]) < 5.5) & (model.neutral[:, 2] < 3), out, 0.0)


def add_hair(model: HeadModel, fit: Fit, person: np.ndarray) -> np.ndarray:
    """(V, 3) vertices whose skull reaches the outline of the hair in the picture.

    Every direction in the picture's plane has its own factor; parts of the skull nearer the axis of sight take the mean of the upper
    ones, so that the back of the head grows too.

    Args:
        model: the head.
        fit: the portrait's fit.
        person: (H, W) 0..1.
    """
    share = scalp_share(model)
    centre = model.skull_centre
    from_centre = (fit.vertices - centre) @ fit.R_cam_mesh.T  # camera axes, cm
    radius = np.hypot(from_centre[:, 0], from_centre[:, 1])
    angle = np.arctan2(from_centre[:, 0], -from_centre[:, 1])  # 0 up, > 0 to the image's right
    head = (model.kind == SKIN) & (model.neutral[:, 1] > -6)
    bins = ((angle + np.pi) / (2 * np.pi) * _PROFILE_BINS).astype(int) % _PROFILE_BINS
    skull = np.zeros(_PROFILE_BINS)
    np.maximum.at(skull, bins[head], radius[head])
    skull = gaussian_filter1d(np.where(skull > 0, skull, np.median(skull)), 1.0, mode='wrap')
    angles = (np.arange(_PROFILE_BINS) + 0.5) / _PROFILE_BINS * 2 * np.pi - np.pi
    origin = fit.in_picture(centre[None])[0, :2]
    hair = outline(person, origin, angles, skull * fit.pixels_per_cm) / fit.pixels_per_cm
    factor = np.clip(hair / skull, *_HAIR_RANGE)
    upper = np.clip((np.radians(140) - np.abs(angles)) / np.radians(40), 0, 1)  # below the ears there is no skull
    factor = gaussian_filter1d(1 + (factor - 1) * upper, 3.0, mode='wrap')
    mean = float((factor * upper).sum() / upper.sum())
    own = np.interp(angle, angles, factor, period=2 * np.pi)
    sideways = np.clip(radius / np.maximum(np.linalg.norm(from_centre, axis=1), 1e-6), 0, 1) ** 2
    scaled = 1 + share * (sideways * own + (1 - sideways) * mean - 1)
    out = centre + (fit.vertices - centre) * scaled[:, None]
    return _hide_ears(model, out, own)


def _hide_ears(model: HeadModel, vertices: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Lays ears flat where hair stands out farther than they do: it covers them."""
    ear = ears(model)
    vertices = vertices.copy()
    for side in (-1, 1):
        own = (ear > 0) & (side * model.neutral[:, 0] > 0)
        covered = float(np.clip((np.median(factor[own]) - 1.06) / 0.12, 0, 1))
        beside = (np.abs(model.neutral[:, 0]) > 7.0) & (np.abs(model.neutral[:, 1]) < 6) & (side * model.neutral[:, 0] > 0) & (ear == 0)
        flat = np.abs(vertices[beside & (model.neutral[:, 2] < 3) & (model.kind == SKIN), 0]).max()
        out = np.abs(vertices[own, 0])
        vertices[own, 0] = side * (out + covered * ear[own] * (np.minimum(out, flat + 0.1 * (out - flat)) - out))
    return vertices


def outline(person: np.ndarray, origin: np.ndarray, angles: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(N,) pixels from the origin to the person's outline in each direction; rays that leave the picture first end there."""
    steps = np.linspace(0.6, 2.0, 141)
    x = origin[0] + np.sin(angles)[:, None] * expected[:, None] * steps
    y = origin[1] - np.cos(angles)[:, None] * expected[:, None] * steps
    inside = cv2.remap(person, (x - 0.5).astype(np.float32), (y - 0.5).astype(np.float32), cv2.INTER_LINEAR, borderValue=0.0) > 0.5
    first_out = np.where(inside.all(1), len(steps) - 1, (~inside).argmax(1))
    return expected * steps[first_out]


def round_sheet(model: HeadModel, fit: Fit, vertices: np.ndarray, person: np.ndarray) -> Sheet:
    """The person without the head as two faces of a rounded body.

    Its depth is about the neck's middle and grows with the distance from the outline, like a cushion's. Where the head without its
    neck is in front, there is none of it, or a second face would show when the head turns.

    Args:
        model: the head.
        fit: the portrait's fit.
        vertices: vertices of the head with hair.
        person: (H, W) 0..1, the picture's size.
    """
    height, width = person.shape
    inside = person > 0.5
    pad = 2 * _STEP_PX
    framed = cv2.copyMakeBorder(inside.astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[pad:-pad, pad:-pad] / fit.pixels_per_cm  # cm
    pixels = fit.in_picture(vertices)
    covered = np.zeros((height, width), np.uint8)
    skull = model.neutral[:, 1] > np.where(model.neutral[:, 2] > 2, _JAW_CM, _NAPE_CM)
    head = model.triangles[(skull & (model.kind == SKIN))[model.triangles].all(1)]
    for corners in np.rint(pixels[head][:, :, :2]).astype(np.int32):
        cv2.fillConvexPoly(covered, corners, 1)
    kept = inside & (covered == 0)
    kept = _without_slivers(kept, fit.pixels_per_cm)
    # long hair begins a little inside the head, or a gap would open between them
    kept = cv2.dilate(kept.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=_STEP_PX) > 0
    x, y = np.meshgrid(np.arange(0, width, _STEP_PX), np.arange(0, height + 40 * _STEP_PX, _STEP_PX))
    row, column = np.minimum(y, height - 1), np.minimum(x, width - 1)
    used = kept[row, column]
    number = np.full(x.shape, -1)
    number[used] = np.arange(used.sum())
    corners = np.stack([number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]], -1).reshape(-1, 4)
    triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [1, 3, 2]]])
    triangles = triangles[(triangles >= 0).all(1)]
    # the place of each point in mesh axes, for its depth and its height along the neck
    flat = np.stack([x[used] + 0.5, y[used] + 0.5], -1)
    d = np.clip(distance[row, column][used], 0, _THICKNESS_CM)
    thick = 0.75 * np.sqrt(_THICKNESS_CM**2 - (_THICKNESS_CM - d) ** 2)
    neck = (model.kind == SKIN) & (model.neutral[:, 1] < -9) & (model.neutral[:, 1] > -13)
    middle = np.array([0.0, -11.0, vertices[neck, 2].mean()])
    in_cm = (flat - fit.origin[:2]) / fit.pixels_per_cm
    z = (fit.R_cam_mesh @ middle)[2]
    across, mesh_height, _ = (np.column_stack([in_cm, np.full(len(in_cm), z)]) @ fit.R_cam_mesh).T
    front, back = thick * _beside_or_below(across, mesh_height, -8.5, -12.0), thick * _beside_or_below(across, mesh_height, -10.5, -15.0)
    points = np.concatenate([np.column_stack([in_cm, z - front]), np.column_stack([in_cm, z + back])])
    n = len(flat)
    uv = np.tile(flat / [width, height], (2, 1))
    return Sheet(points / 100, np.concatenate([triangles, triangles + n]), uv, np.tile(follow_of(mesh_height), 2))


def _beside_or_below(across: np.ndarray, height: np.ndarray, top: float, bottom: float) -> np.ndarray:
    """(N,) 0..1: 0 within the neck above a height, so that the sheet begins inside the neck's mesh and its cut edge is never seen."""
    near, far = _NECK_WIDTH_CM
    beside = np.clip((np.abs(across) - near) / (far - near), 0, 1)
    return np.maximum(beside, np.clip((top - height) / (top - bottom), 0, 1))


def _without_slivers(kept: np.ndarray, pixels_per_cm: float) -> np.ndarray:
    """The parts of a mask that are thicker than `_SLIVER_CM`, of these the ones that are connected to the picture's lower edge."""
    radius = max(1, round(_SLIVER_CM * pixels_per_cm / 2))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    framed = cv2.copyMakeBorder(kept.astype(np.uint8), radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(framed, cv2.MORPH_OPEN, disc)[radius:-radius, radius:-radius]
    _, number = cv2.connectedComponents(opened)
    low = np.unique(number[int(0.9 * len(number)) :])
    return np.isin(number, low[low > 0])


def head_triangles(model: HeadModel, mouth: bool = True) -> np.ndarray:
    """(T, 3) triangles of the head's mesh that are drawn: without chest, and perhaps without gums and tongue."""
    drawn = model.neutral[:, 1] > _CUT_CM
    if not mouth:
        drawn &= model.kind != GUMS
    return model.triangles[drawn[model.triangles].all(1)]
