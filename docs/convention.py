"""Draws the convention figure, docs/convention.png, from c2f_head_pose.geometry: python docs/convention.py."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.geometry import rotation_from_ypr_deg

PANELS = (
    ('straight into the camera', (0, 0, 0)),
    ("yaw +35: to the image's left", (35, 0, 0)),
    ('pitch +30: looks up', (0, 30, 0)),
    ('roll +25: clockwise', (0, 0, 25)),
)
SIZE, SCALE = 420, 2  # of a panel, pixels; drawn larger and shrunk, for smooth edges
HEAD = 105
SKIN, HAIR, LIPS, WHITE, IRIS = (168, 190, 222), (60, 72, 92), (95, 95, 190), (250, 250, 250), (90, 70, 40)
GROUND, INK = (250, 250, 250), (40, 40, 40)
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


def panel(title, ypr_deg):
    """One head and its axes, by parallel projection onto the image (x right, y down)."""
    R = rotation_from_ypr_deg(np.array(ypr_deg, float))
    centre, unit = np.array([SIZE / 2, SIZE / 2 + 12]) * SCALE, HEAD * SCALE
    x, y = np.meshgrid(*((np.arange(SIZE * SCALE) + 0.5 - c) / unit for c in centre))
    start, along = np.stack([x, y, np.full_like(x, -3)], -1) @ R, R[2]  # the pixels' rays in head axes
    light = np.array([-0.4, -0.6, -0.7]) / np.linalg.norm([0.4, 0.6, 0.7])
    canvas, nearest = np.full((*x.shape, 3), GROUND, float), np.full(x.shape, np.inf)
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
    canvas = np.round(canvas).astype(np.uint8)
    for k in np.argsort(-R[2]):
        name, colour = AXES[k]
        tip = centre + 1.55 * unit * R[:2, k]
        if np.linalg.norm(R[:2, k]) < 0.05:
            cv2.circle(canvas, tuple(np.round(centre).astype(int).tolist()), 9 * SCALE, colour, 2 * SCALE, cv2.LINE_AA)
            cv2.circle(canvas, tuple(np.round(centre).astype(int).tolist()), 3 * SCALE, colour, -1, cv2.LINE_AA)
            tip = centre + np.array([10, -10]) * SCALE
        else:
            cv2.arrowedLine(
                canvas,
                tuple(np.round(centre).astype(int).tolist()),
                tuple(np.round(tip).astype(int).tolist()),
                colour,
                4 * SCALE,
                cv2.LINE_AA,
                tipLength=0.09,
            )
        at = np.round(tip + np.array([6, -6]) * SCALE).astype(int).tolist()
        cv2.putText(canvas, name, tuple(at), cv2.FONT_HERSHEY_SIMPLEX, 0.7 * SCALE, colour, 2 * SCALE, cv2.LINE_AA)
    cv2.putText(canvas, title, (18 * SCALE, 32 * SCALE), cv2.FONT_HERSHEY_SIMPLEX, 0.62 * SCALE, INK, SCALE, cv2.LINE_AA)
    return cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


if __name__ == '__main__':
    figure = np.hstack([panel(title, ypr_deg) for title, ypr_deg in PANELS])
    cv2.imwrite(str(Path(__file__).with_suffix('.png')), figure)
