"""Draws head poses into an image, and makes a picture of depth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .camera import pixel_ray
from .counting import whole_angles
from .geometry import ray_rotation
from .types import Camera, HeadPose

_AXES_BGR = ((80, 80, 255), (110, 220, 90), (255, 160, 60))
"""Colours of the head's x (out of the face), y (to the person's left), z (to the scalp): red, green, blue as in RViz."""
_TEXT = cv2.FONT_HERSHEY_SIMPLEX


def draw_poses(image: np.ndarray, poses: Sequence[HeadPose], camera: Camera | None = None) -> np.ndarray:
    """Draws each head's box, axes, id and angles into a copy of an image.

    Args:
        image: (H, W) gray or (H, W, 3) BGR uint8.
        poses: heads in the image; those without a box are skipped.
        camera: the camera that the poses were estimated with; the axes are then drawn as seen along each face's ray.

    Returns:
        (H, W, 3) BGR uint8.
    """
    canvas = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    for pose in poses:
        if pose.box is None:
            continue
        box, R = pose.box, pose.R_cam_head
        if camera is not None:
            R = ray_rotation(pixel_ray(camera, *box.centre)).T @ R
        thick = max(1, round(max(canvas.shape[:2]) / 500))
        cv2.rectangle(canvas, _pixel(box.x1, box.y1), _pixel(box.x2, box.y2), (235, 235, 235), thick, cv2.LINE_AA)
        _draw_axes(canvas, R, box.centre, 0.55 * max(box.width, box.height), 2 * thick)
        _draw_label(canvas, _label(pose), box.x1, box.y2)
    return canvas


def depth_picture(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) uint8 to look at: near is bright, black unknown; 0.4 to 4 m, linear in 1 / z as the eye takes distance."""
    with np.errstate(divide='ignore', invalid='ignore'):
        nearness = (1 / depth_m - 1 / 4.0) / (1 / 0.4 - 1 / 4.0)
    return np.where(np.isfinite(depth_m) & (depth_m > 0), np.clip(32 + 223 * nearness, 32, 255), 0).astype(np.uint8)


def _draw_axes(canvas: np.ndarray, R: np.ndarray, centre: tuple[float, float], length: float, thick: int) -> None:
    """Draws the head's three axes in parallel projection, the farthest first."""
    for k in np.argsort(-R[2]):
        tip = np.asarray(centre) + length * R[:2, k]
        cv2.arrowedLine(canvas, _pixel(*centre), _pixel(*tip), _AXES_BGR[k], thick, cv2.LINE_AA, tipLength=0.15)


def _label(pose: HeadPose) -> str:
    name = '' if pose.track_id is None else f'#{pose.track_id} '
    return name + (whole_angles(pose.yaw_pitch_roll_deg) if pose.angles_reliable else 'turned away')


def _draw_label(canvas: np.ndarray, text: str, x: float, y: float) -> None:
    """Draws white text on a dark ground with its upper left corner at (x, y), moved into the image."""
    scale = max(0.4, max(canvas.shape[:2]) / 1400)
    thick = max(1, round(scale))
    (width, height), base = cv2.getTextSize(text, _TEXT, scale, thick)
    left = int(np.clip(x, 0, max(0, canvas.shape[1] - width)))
    bottom = int(np.clip(y + height + base, height + base, max(height + base, canvas.shape[0] - base)))
    cv2.rectangle(canvas, (left, bottom - height - base), (left + width, bottom + base), (40, 40, 40), cv2.FILLED)
    cv2.putText(canvas, text, (left, bottom), _TEXT, scale, (255, 255, 255), thick, cv2.LINE_AA)


def _pixel(x: float, y: float) -> tuple[int, int]:
    """Rounds to OpenCV's integer points, limited to its 16-bit drawing range."""
    x, y = np.clip([x, y], -30000, 30000)
    return round(float(x)), round(float(y))
