"""Finds heads in a depth image alone: a head-sized blob that stands free above and beside, whatever carries it below."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .camera import pixel_ray
from .rectification import rectification
from .turn import turn_boxes_back, turn_upright
from .types import FACE_EXTENT_M, Camera, FaceBox

_GRID_WIDTH = 160
_STRIDE = 2
"""Every so many cells of the grid is asked whether a head stands about it."""
_CELL_M = 0.035
"""Cells wider than this at a head's depth show too little of it: with 0.06 m less than half of the heads are found."""
_NEAREST_M, _FARTHEST_M = 0.25, 5.0
_FAR_MM = 65535
_HEAD_RADII_M = (0.070, 0.090)
"""Half breadth and half height of the part of a head that every head fills."""
_FREE_RADII_M = (0.150, 0.205)
"""Half breadth and half height of the rim outside every head, hair included, on which nothing of it lies."""
_FREE_FROM_DEG = -25.0
"""The rim is looked at from so far below the horizontal, over the top, to the same on the other side: below is the neck."""
_LAYER_M = 0.13
"""Surfaces this far apart in depth are not the same head: a head's visible half is 0.10 m deep."""
_BEHIND_SURFACE_M = 0.093
"""The middle of a head lies so far behind its nearest visible surface."""
_MIDDLE_BELOW_TOP_M = 0.116
"""Below the top of the outline, hair of our population included. Both fitted on rendered frames, to no bias."""
_SURFACE_BEFORE_M = 0.04
"""Half of the visible depth of a head: the layer about it is centred there."""
_OUTLINE_M = np.linspace(0.02, 0.32, 16)
FROM_OUTLINE = np.array(
    [
        (0.050, 0.054),
        (-0.223, -0.026),
        (-0.089, 0.088),
        (0.134, -0.027),
        (0.095, 0.072),
        (-0.100, -0.142),
        (0.068, -0.167),
        (-0.176, -0.025),
        (0.165, 0.163),
        (0.125, 0.036),
        (-0.138, 0.016),
        (0.036, -0.062),
        (-0.095, 0.010),
        (-0.023, -0.025),
        (-0.077, 0.038),
        (-0.087, 0.009),
        (0.090, -0.143),
    ]
)
"""(17, 2): by how much a head's middle lies lower and deeper than assumed above, from 1 and the breadth of its outline at `_OUTLINE_M`.

Ridge regression on rendered frames: python -m training.studies.depth_heads --fit --seed 77 --frames 60
"""
_APART_M = 0.25
THRESHOLD = 0.78


@dataclass(frozen=True, eq=False)
class DepthHead:
    """A head found in depth.

    Attributes:
        centre_m: (3,) middle of the head in the camera's optical frame, metres.
        box: about the face as a detector would draw it, pixels.
        score: likeness to a head, 0..1.
        outline_m: (16,) as of `outline_m`.
    """

    centre_m: np.ndarray
    box: FaceBox
    score: float
    outline_m: np.ndarray


def find_heads(
    depth_m: np.ndarray, camera: Camera, threshold: float = THRESHOLD, table: np.ndarray | None = None, rotation_deg: int = 0
) -> list[DepthHead]:
    """The heads in a depth image, best first.

    Args:
        depth_m: (H, W) float metres along the optical axis; NaN or 0 unknown.
        camera: its calibration.
        threshold: least score, 0..1.
        table: instead of FROM_OUTLINE, for fitting it.
        rotation_deg: clockwise turn that makes the image upright: 0, 90, 180 or 270.
    """
    mm = _smooth_mm(depth_m)
    table = FROM_OUTLINE if table is None else table
    heads = [head for part in _passes(camera) for head in _search(mm, camera, part, threshold, table, rotation_deg)]
    found: list[DepthHead] = []
    for head in sorted(heads, key=lambda head: -head.score):
        if all(np.linalg.norm(head.centre_m - other.centre_m) > _APART_M for other in found):
            found.append(head)
    return found


@dataclass(frozen=True)
class _Pass:
    """One search: the width of a cell of its grid in pixels, and the depths that are asked for heads, from and below, in millimetres."""

    step: float
    from_mm: float
    below_mm: float


def _passes(camera: Camera) -> list[_Pass]:
    """The searches for a camera: a second one on a finer grid beyond the depth at which the cells of the first become too wide."""
    focal = float(min(camera.K[0, 0], camera.K[1, 1]))
    step = max(1, round(camera.width / _GRID_WIDTH))
    finer = max(1.0, _CELL_M * focal / _FARTHEST_M)
    if camera.D.size == 0:
        finer = int(finer)
    if finer >= step:
        return [_Pass(step, 0, _FAR_MM)]
    reach_mm = 1000 * _CELL_M * focal / step
    return [_Pass(step, 0, reach_mm), _Pass(finer, reach_mm, _FAR_MM)]


def _search(mm: np.ndarray, camera: Camera, part: _Pass, threshold: float, table: np.ndarray, rotation_deg: int) -> list[DepthHead]:
    """The heads of one pass, best first; one at the edge of another may be in it twice."""
    lens = rectification(camera, float(camera.K[0, 0]) / part.step)
    if lens is None:
        step = int(part.step)
    else:
        mm, camera, step = lens.rectify(mm, _FAR_MM), lens.camera, 1
    grid = turn_upright(mm, rotation_deg)[step // 2 :: step, step // 2 :: step]
    focal = np.array([camera.K[0, 0], camera.K[1, 1]][:: -1 if rotation_deg in (90, 270) else 1]) / step
    scores = _scores(grid, focal, part, threshold)
    found: list[DepthHead] = []
    for _ in range(64):
        row, column = divmod(int(np.argmax(scores)), scores.shape[1])
        score = float(scores[row, column])
        if score < threshold:
            break
        z_m = grid[row, column] / 1000
        reach = np.ceil(focal * _APART_M / z_m).astype(int)
        rows, columns = _window(grid.shape, row, column, reach)
        patch, marks = grid[rows, columns] / 1000, scores[rows, columns]
        same = np.abs(patch - z_m) < _APART_M
        seen = _measure(grid, focal, row, column, z_m, table)
        scores[rows, columns] = np.where(same, 0, marks)
        head = None if seen is None else _placed(seen, camera, step, rotation_deg, score)
        if head is not None and lens is not None:
            box = lens.box_back(head.box)
            head = None if box is None else replace(head, box=box)
        if head is not None:
            found.append(head)
    return found


def _smooth_mm(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) uint16 millimetres with small holes and single pixels voted away; _FAR_MM where unknown."""
    known = np.isfinite(depth_m) & (depth_m > _NEAREST_M) & (depth_m < _FARTHEST_M)
    mm = np.where(known, np.where(known, depth_m, 0) * 1000, _FAR_MM).astype(np.uint16)
    return cv2.medianBlur(mm, 5)


def _scores(grid: np.ndarray, focal: np.ndarray, part: _Pass, threshold: float) -> np.ndarray:
    """(h, w) how much a head stands about each cell: the filled part of the disc times the free part of the rim; 0 below the threshold."""
    height, width = grid.shape
    asked = grid[::_STRIDE, ::_STRIDE]
    rows, columns = (_STRIDE * cells for cells in np.nonzero((asked >= part.from_mm) & (asked < part.below_mm)))
    z_m = (grid[rows, columns] / 1000).astype(np.float32)
    padded = np.pad((grid / 1000).astype(np.float32), 1, constant_values=0)  # beyond the image: cannot tell

    def at(offsets_m: np.ndarray) -> np.ndarray:
        """(N, cells) metres in front of each cell's own depth, at offsets across."""
        x = np.clip(np.rint(columns + np.float32(focal[0]) * offsets_m[:, :1] / z_m), -1, width).astype(np.intp) + 1
        y = np.clip(np.rint(rows + np.float32(focal[1]) * offsets_m[:, 1:] / z_m), -1, height).astype(np.intp) + 1
        return padded[y, x] - z_m

    turns = np.radians(np.linspace(-_FREE_FROM_DEG, -180 + _FREE_FROM_DEG, 25))  # y is down: over the top is negative
    rim_m = (np.column_stack([np.cos(turns), np.sin(turns)]) * _FREE_RADII_M).astype(np.float32)
    # Where a third of the rim already has too much at the cell's own depth, as on a wall or a chest, the rest need not be looked at.
    possible = (np.abs(at(rim_m[::3])) <= _LAYER_M).sum(0) <= (1 - threshold) * len(rim_m) + 1e-6
    rows, columns, z_m = rows[possible], columns[possible], z_m[possible]
    rim = at(rim_m)
    free = np.where(rim > _LAYER_M, 1.0, np.where(rim < -_LAYER_M, 0.6, 0.0)).mean(0)  # something before it: cannot tell
    turns = np.radians(np.arange(0, 360, 30))
    disc = (
        np.concatenate([[[0, 0]], *(share * np.column_stack([np.cos(turns), np.sin(turns)]) for share in (0.5, 1.0))]) * _HEAD_RADII_M
    ).astype(np.float32)
    filled = (np.abs(at(disc)) < _LAYER_M).mean(0)
    scores = np.zeros(grid.shape, np.float32)
    scores[rows, columns] = filled * free
    return scores


@dataclass(frozen=True, eq=False)
class _Seen:
    """A head in the upright grid: its middle in cells and metres, its face's half width and height in cells, and its outline."""

    x: float
    y: float
    z_m: float
    half: np.ndarray
    outline_m: np.ndarray


def _measure(grid: np.ndarray, focal: np.ndarray, row: int, column: int, z_m: float, table: np.ndarray) -> _Seen | None:
    """Where the head about a cell is, from its outline and its surface."""
    x, y = float(column), float(row)
    for _ in range(4):  # walk to the middle of what is filled about it
        rows, columns = _window(grid.shape, round(y), round(x), np.ceil(focal * (0.13, 0.14) / z_m).astype(int))
        part = grid[rows, columns] / 1000
        inside = np.abs(part - z_m) < _LAYER_M
        if inside.sum() < 4:
            return None
        at_y, at_x = np.nonzero(inside)
        x = columns.start + float(at_x.mean())
        # below the head comes the neck: only the top tells the height
        tops = rows.start + np.sort(at_y)[: max(1, len(at_y) // 50)].mean()
        y = tops + focal[1] * _MIDDLE_BELOW_TOP_M / z_m
        z_m = float(np.percentile(part[inside], 15)) + _SURFACE_BEFORE_M
    outline = outline_m(grid, focal, x, y, z_m)
    down_m, deeper_m = np.r_[1.0, outline] @ table
    y += focal[1] * down_m / z_m
    z_centre = z_m - _SURFACE_BEFORE_M + _BEHIND_SURFACE_M + deeper_m
    return _Seen(x, y, z_centre, 0.5 * FACE_EXTENT_M * focal / z_centre, outline)


def _placed(seen: _Seen, camera: Camera, step: int, rotation_deg: int, score: float) -> DepthHead:
    """A head of the upright grid in the camera's frame and the camera's image."""
    # A cell shows the pixel in its middle, of an even step the one after its middle.
    x, y, half = seen.x * step + step // 2 + 0.5, seen.y * step + step // 2 + 0.5, seen.half * step
    upright = np.array([[x - half[0], y - half[1], x + half[0], y + half[1]]])
    x1, y1, x2, y2 = turn_boxes_back(upright, rotation_deg, camera.width, camera.height)[0].tolist()
    box = FaceBox(x1, y1, x2, y2, score)
    ray = pixel_ray(camera, *box.centre)
    return DepthHead(ray * (seen.z_m / ray[2]), box, score, seen.outline_m)


def outline_m(grid: np.ndarray, focal: np.ndarray, x: float, y: float, z_m: float) -> np.ndarray:
    """(16,) breadth of the layer at z_m about a head, 2 to 32 cm below its top, metres: skull, jaw, neck and where shoulders begin.

    Args:
        grid: (h, w) millimetres.
        focal: (2,) pixels of the grid.
        x: column of the head's middle, cells.
        y: row of the head's middle, cells.
        z_m: middle of the layer.
    """
    rows = np.rint(y + focal[1] * (_OUTLINE_M - _MIDDLE_BELOW_TOP_M) / z_m).astype(int)
    left, right = max(0, int(x - focal[0] * 0.16 / z_m)), min(grid.shape[1], int(x + focal[0] * 0.16 / z_m) + 1)
    breadth = (np.abs(grid[np.clip(rows, 0, len(grid) - 1), left:right] / 1000 - z_m) < _LAYER_M).sum(1) * z_m / focal[0]
    return np.where((rows >= 0) & (rows < len(grid)), breadth, 0.1)


def _window(shape: tuple[int, ...], row: int, column: int, reach: np.ndarray) -> tuple[slice, slice]:
    return (
        slice(max(0, row - int(reach[1])), min(shape[0], row + int(reach[1]) + 1)),
        slice(max(0, column - int(reach[0])), min(shape[1], column + int(reach[0]) + 1)),
    )
