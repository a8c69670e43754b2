"""Draws docs/convention.png and docs/images/frames.png from c2f_head_pose.geometry: python docs/convention.py."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.evaluation.truth.heads import R_HEAD_GAZE, R_OPTICAL_LINK
from c2f_head_pose.geometry import HEAD_AXES, rotation_from_ypr_deg

PANELS = (
    ('straight into the camera', (0, 0, 0)),
    ("yaw +35: to the image's left", (35, 0, 0)),
    ('pitch +30: looks up', (0, 30, 0)),
    ('roll +25: clockwise', (0, 0, 25)),
)
SIZE, SCALE = 420, 2  # of a panel, pixels; drawn larger and shrunk, for smooth edges
HEAD = 105
SKIN, HAIR, LIPS, WHITE, IRIS = (168, 190, 222), (60, 72, 92), (95, 95, 190), (250, 250, 250), (90, 70, 40)
GROUND, INK, BODY = (250, 250, 250), (40, 40, 40), (120, 120, 120)
AXES = (('x', (60, 60, 235)), ('y', (60, 170, 60)), ('z', (230, 130, 40)))
ELLIPSOIDS = [  # centre and radii in head axes (x out of the face, y to the left, z to the scalp), colour
    ((-0.15, 0, 0), (0.85, 0.72, 1.0), SKIN),
    ((0.66, 0, -0.14), (0.26, 0.11, 0.2), SKIN),
    ((0.50, 0, -0.50), (0.12, 0.22, 0.05), LIPS),
    *(
        part
        for side in (1, -1)
        for part in (
            ((-0.15, side * 0.74, 0.0), (0.14, 0.07, 0.2), SKIN),
            ((0.53, side * 0.29, 0.12), (0.14, 0.14, 0.085), WHITE),
            ((0.62, side * 0.29, 0.12), (0.08, 0.06, 0.065), IRIS),
            ((0.57, side * 0.29, 0.30), (0.06, 0.16, 0.03), HAIR),
        )
    ),
]
R_VIEW_CAM = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Looks at the camera and the person from the side: forward is to the right in the figure."""
FRAMES = (
    ("the image's frame, and face_7", np.eye(3), np.eye(3)),
    ("a camera's body (REP-103), and gaze_7", R_OPTICAL_LINK.T, R_HEAD_GAZE.T),
)


def draw_head(canvas, R, centre, unit):
    """A head by parallel projection onto the canvas (x right, y down).

    Args:
        canvas: (H, W, 3) float.
        R: (3, 3) from head axes to the canvas' x, y and depth.
        centre: (2,) pixels.
        unit: of the ellipsoids, pixels.
    """
    height, width = canvas.shape[:2]
    x, y = np.meshgrid((np.arange(width) + 0.5 - centre[0]) / unit, (np.arange(height) + 0.5 - centre[1]) / unit)
    start, along = np.stack([x, y, np.full_like(x, -3)], -1) @ R, R[2]  # the pixels' rays in head axes
    light = np.array([-0.4, -0.6, -0.7]) / np.linalg.norm([0.4, 0.6, 0.7])
    nearest = np.full(x.shape, np.inf)
    for middle, radii, colour in ELLIPSOIDS:
        # |(start + t along - middle) / radii| = 1, the nearer root
        p, d = (start - middle) / radii, along / np.array(radii)
        a, b, c = d @ d, p @ d, (p * p).sum(-1) - 1
        root = b * b - a * c
        t = (-b - np.sqrt(np.maximum(root, 0))) / a
        seen = (root > 0) & (t < nearest)
        nearest[seen] = t[seen]
        point = p + t[..., None] * d
        normal = point / radii
        normal = normal / np.linalg.norm(normal, axis=-1, keepdims=True) @ R.T
        tint = np.full(canvas.shape, colour, float)
        if colour == SKIN and radii[2] == 1:
            tint[(point[..., 2] > 0.62) | (point[..., 0] + 0.35 * (1 - point[..., 2]) < -0.05 + 0.3 * (point[..., 2] < -0.35))] = HAIR
        shade = 0.6 + 0.4 * np.clip(normal @ light, 0, 1)
        canvas[seen] = (shade[..., None] * tint)[seen]


def pixel(point):
    """A point as OpenCV's drawing functions take it."""
    return tuple(np.round(point).astype(int).tolist())


def draw_axes(canvas, R, centre, length):
    """Three named arrows; an axis that points at the viewer or away is a dot or a cross.

    Args:
        canvas: (H, W, 3) uint8.
        R: (3, 3) whose columns are the axes in the canvas' x, y and depth.
        centre: (2,) pixels.
        length: pixels.
    """
    for k in np.argsort(-R[2]):
        name, colour = AXES[k]
        tip = centre + length * R[:2, k]
        if np.linalg.norm(R[:2, k]) < 0.05:
            cv2.circle(canvas, pixel(centre), 9 * SCALE, colour, 2 * SCALE, cv2.LINE_AA)
            if R[2, k] < 0:
                cv2.circle(canvas, pixel(centre), 3 * SCALE, colour, -1, cv2.LINE_AA)
            else:
                arm = 6 * SCALE
                for corner in (np.array([arm, arm]), np.array([arm, -arm])):
                    cv2.line(canvas, pixel(centre - corner), pixel(centre + corner), colour, 2 * SCALE, cv2.LINE_AA)
            tip = centre + np.array([10, -10]) * SCALE
        else:
            cv2.arrowedLine(canvas, pixel(centre), pixel(tip), colour, 4 * SCALE, cv2.LINE_AA, tipLength=0.09)
        cv2.putText(
            canvas, name, pixel(tip + np.array([6, -6]) * SCALE), cv2.FONT_HERSHEY_SIMPLEX, 0.7 * SCALE, colour, 2 * SCALE, cv2.LINE_AA
        )


def draw_title(canvas, title):
    """Writes a panel's title."""
    cv2.putText(canvas, title, (18 * SCALE, 32 * SCALE), cv2.FONT_HERSHEY_SIMPLEX, 0.62 * SCALE, INK, SCALE, cv2.LINE_AA)


def shrunk(canvas):
    """The panel at its final size."""
    height, width = canvas.shape[:2]
    return cv2.resize(canvas, (width // SCALE, height // SCALE), interpolation=cv2.INTER_AREA)


def signs_panel(title, ypr_deg):
    """One head and its axes, as the camera sees them."""
    R = rotation_from_ypr_deg(np.array(ypr_deg, float))
    centre, unit = np.array([SIZE / 2, SIZE / 2 + 12]) * SCALE, HEAD * SCALE
    canvas = np.full((SIZE * SCALE, SIZE * SCALE, 3), GROUND, float)
    draw_head(canvas, R, centre, unit)
    canvas = np.round(canvas).astype(np.uint8)
    draw_axes(canvas, R, centre, 1.55 * unit)
    draw_title(canvas, title)
    return shrunk(canvas)


def frames_panel(title, R_frame_cam, R_frame_head):
    """A camera that looks at a person, from the side, each with the axes of one frame.

    Args:
        title: above it.
        R_frame_cam: optical axes to the camera's frame.
        R_frame_head: head axes to the person's frame.
    """
    canvas = np.full((300 * SCALE, 620 * SCALE, 3), GROUND, float)
    camera, head, unit = np.array([110, 175]) * SCALE, np.array([465, 175]) * SCALE, 80 * SCALE
    R_view_head = R_VIEW_CAM @ HEAD_AXES
    draw_head(canvas, R_view_head, head, unit)
    canvas = np.round(canvas).astype(np.uint8)
    body = np.array([[-60, -26], [0, -26], [0, -12], [22, -20], [22, 20], [0, 12], [0, 26], [-60, 26]]) * SCALE + camera
    cv2.fillPoly(canvas, [np.round(body).astype(np.int32)], BODY, cv2.LINE_AA)
    draw_axes(canvas, R_VIEW_CAM @ R_frame_cam.T, camera, 105 * SCALE)
    draw_axes(canvas, R_view_head @ R_frame_head.T, head, 118 * SCALE)
    draw_title(canvas, title)
    return shrunk(canvas)


if __name__ == '__main__':
    folder = Path(__file__).parent
    cv2.imwrite(str(folder / 'convention.png'), np.hstack([signs_panel(*panel) for panel in PANELS]))
    cv2.imwrite(str(folder / 'images' / 'frames.png'), np.hstack([frames_panel(*panel) for panel in FRAMES]))
