"""Where each vertex of the head takes its colour: its own place in the portrait, its mirror image's, or what its neighbours have."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve

from .fit import Fit
from .head import GUMS, MOUTH, SKIN, TEETH, HeadModel
from .surface import scalp_share

_FACING = (0.12, 0.38)  # cosine to the camera between which a place in the portrait is trusted
_HIDDEN_CM = 0.25
_TIGHT = 30.0


@dataclass(frozen=True, eq=False)
class Texture:
    """Colour sources of the head's vertices.

    Attributes:
        uv: (V, 2) own place in the portrait, 0..1.
        trust: (V,) 0..1 of it; none inside the mouth.
        smile: (V,) 0..1, the same inside the mouth while it is no wider open than in the portrait: a smile's teeth are the portrait's.
        mirrored_uv: (V, 2) of the vertex on the other side.
        mirrored_trust: (V,).
        gain: (V,) brightness of the vertex's surroundings over those of the one on the other side.
        fill: (V, 3) 0..1 BGR where neither is trusted.
        grain: (V,) contrast of the hair where it is filled in.
    """

    uv: np.ndarray
    trust: np.ndarray
    smile: np.ndarray
    mirrored_uv: np.ndarray
    mirrored_trust: np.ndarray
    gain: np.ndarray
    fill: np.ndarray
    grain: np.ndarray


def extend_person(image: np.ndarray, person: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the person's colours continued beyond the outline, so that no background shows at an edge."""
    sure = cv2.erode((person > 0.6).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=2)
    weight, total = sure.astype(np.float32), image.astype(np.float32) * sure[..., None]
    levels = [(weight, total)]
    while min(weight.shape) > 4:
        weight, total = cv2.pyrDown(weight), cv2.pyrDown(total)
        levels.append((weight, total))
    out = levels[-1][1] / np.maximum(levels[-1][0], 1e-6)[..., None]
    for weight, total in reversed(levels[:-1]):
        out = cv2.resize(out, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.clip(weight * 4, 0, 1)[..., None]
        out = share * total / np.maximum(weight, 1e-6)[..., None] + (1 - share) * out
    return np.where(sure[..., None] > 0, image, np.clip(out, 0, 255)).astype(np.uint8)


def paint(
    model: HeadModel, fit: Fit, vertices: np.ndarray, outward: np.ndarray, depth_cm: np.ndarray, image: np.ndarray, person: np.ndarray
) -> Texture:
    """The colour sources of a head as it stands in its portrait.

    Args:
        model: the head.
        fit: the portrait's fit.
        vertices: (V, 3) with hair, mesh axes.
        outward: (V, 3) their unit normals as they stand in the portrait, camera axes.
        depth_cm: (H, W) of the head drawn as it stands in the portrait, camera axes; inf where there is none.
        image: (H, W, 3) uint8, extended beyond the person.
        person: (H, W) 0..1.
    """
    height, width = person.shape
    pixels = fit.in_picture(vertices)
    camera = vertices @ fit.R_cam_mesh.T
    low, high = _FACING
    facing = np.clip((-outward[:, 2] - low) / (high - low), 0, 1)
    at = (pixels[:, :2] - 0.5).astype(np.float32)[None]
    nearest = cv2.remap(cv2.erode(_finite(depth_cm), np.ones((3, 3))), at[..., 0], at[..., 1], cv2.INTER_NEAREST, borderValue=1e3)[0]
    seen = np.clip(1.5 - (camera[:, 2] - nearest) / _HIDDEN_CM / 2, 0, 1)
    inside = cv2.remap(cv2.erode(person, np.ones((5, 5))), at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=0)[0]
    trust = facing * facing * (3 - 2 * facing) * seen * np.clip(2 * inside - 0.6, 0, 1)
    inner = np.isin(model.kind, (MOUTH, GUMS))
    smile = inside * np.isin(model.kind, (MOUTH, GUMS, TEETH))
    trust[inner] = 0
    trust = np.minimum(trust, _smoothed(model, trust))  # no spots
    own = cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0].astype(float) / 255
    other = model.mirrored
    mirrored_trust = trust[other] * (model.kind == SKIN)
    around = np.maximum(_spread(model, trust, trust[:, None] * own).mean(1), 0.02)
    gain = np.clip(around / around[other], 0.4, 2.5)
    share = (1 - trust) * mirrored_trust
    weight, colour = trust + share, trust[:, None] * own + (share * gain)[:, None] * own[other]
    fill = _spread(model, weight, colour)
    hair = _hair(model)
    upper = scalp_share(model) * (model.neutral[:, 1] > model.skull_centre[1])  # sources of hair: the skull above the ears
    fill += hair[:, None] * (_spread(model, weight * upper, colour * upper[:, None]) - fill)
    skin = float(np.median(own[model.landmarks68[27:36]].mean(1)))
    fill[inner] = np.array([0.16, 0.14, 0.30]) * skin / 0.5
    teeth = model.kind == TEETH
    shade = np.clip((model.neutral[teeth, 2] - 7.5) / 3.0, 0.1, 1) * min(skin / 0.55, 1.15)  # darker to the back
    fill[teeth] = np.array([0.66, 0.72, 0.75]) * shade[:, None]
    grain = hair * np.clip(4 * _contrast(image, at, upper * trust), 0, 0.5)
    uv = pixels[:, :2] / [width, height]
    return Texture(uv, trust, smile, uv[other], mirrored_trust, gain, np.clip(fill, 0, 1), grain)


def depth_picture(pixels: np.ndarray, triangles: np.ndarray, depth: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) the least depth of triangles over each pixel, flat in each triangle; inf where there is none.

    Args:
        pixels: (V, 2) continuous pixels.
        triangles: (T, 3).
        depth: (V,).
        shape: H, W.
    """
    out = np.full(shape, np.inf, np.float32)
    mean = depth[triangles].mean(1)
    corners = np.rint((pixels[triangles] - 0.5) * 16).astype(np.int32)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    front = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0  # outward normals towards the camera: clockwise with rows downwards is behind
    order = np.argsort(-mean)
    for i in order[front[order]]:
        cv2.fillConvexPoly(out, corners[i], float(mean[i]), shift=4)
    return out


def _finite(depth: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(depth), depth, 1e3).astype(np.float32)


def _smoothed(model: HeadModel, values: np.ndarray, rounds: int = 3) -> np.ndarray:
    """(V,) means over neighbours."""
    degree = np.maximum(np.asarray(model.edges.sum(1)).ravel(), 1)
    for _ in range(rounds):
        values = (values + model.edges @ values) / (1 + degree)
    return values


def _contrast(image: np.ndarray, at: np.ndarray, weight: np.ndarray) -> float:
    """Standard deviation of the picture's fine detail at some places, over its brightness."""
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    fine = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 3))
    detail, bright = (cv2.remap(p, at[..., 0], at[..., 1], cv2.INTER_LINEAR)[0] for p in (fine, gray))
    return float((weight * detail).sum() / max((weight * bright).sum(), 1.0))


def _hair(model: HeadModel) -> np.ndarray:
    """(V,) 0..1, where hair is usual and portraits do not show it: the skull behind the ears, down to the nape."""
    behind = np.clip((0.5 - model.neutral[:, 2]) / 2.5, 0, 1)
    above_nape = np.clip((model.neutral[:, 1] + 6.0) / 2.0, 0, 1)
    ear = np.clip((np.abs(model.neutral[:, 0]) - 8.2) / 0.4, 0, 1) * (model.neutral[:, 1] < 5)
    return np.where(model.kind == SKIN, behind * above_nape * (1 - ear), 0.0)


def _spread(model: HeadModel, weight: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(V, 3) colours that follow the trusted ones and are smooth over the mesh elsewhere; 0 inside the mouth."""
    out = np.zeros_like(colour)
    for part, edges in model.smooth_parts:
        w, c = weight[part], colour[part]
        degree = np.asarray(edges.sum(1)).ravel()
        system = (diags(degree + _TIGHT * w + 1e-6) - edges).tocsc()
        out[part] = spsolve(system, _TIGHT * c + 1e-6 * c.sum(0) / max(w.sum(), 1e-6))
    return out
