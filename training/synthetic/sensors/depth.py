"""Simulates depth cameras: computes their measurement from the true depth.

Input and output are z along the optical axis in metres, 0 for none (REP-118).
"""

from __future__ import annotations

import cv2
import numpy as np


def measure(model: str, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Computes depth as a camera of the given model reports it.

    Args:
        model: 'ideal', 'structured_light', 'time_of_flight' or 'ray_distance'.
        depth_m: (H, W) float32.
        K: (3, 3) intrinsics of these pixels.
        rng: random generator.

    Raises:
        ValueError: for another model.
    """
    if model == 'ideal':
        return depth_m
    if model == 'ray_distance':
        return ray_distance(depth_m, K)
    if model == 'structured_light':
        return structured_light(depth_m, K, rng)
    if model == 'time_of_flight':
        return time_of_flight(depth_m, K, rng)
    raise ValueError(f"depth model {model!r} is not known: 'ideal', 'structured_light', 'time_of_flight' or 'ray_distance'")


def ray_distance(depth_m: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Computes the distance along each pixel's ray, as the paper's ray cast gives it (section 4.5); ROS defines depth differently."""
    x, y = _directions(depth_m.shape, K)
    return (depth_m * np.sqrt(1 + x * x + y * y)).astype(np.float32)


def structured_light(
    depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator, baseline_m: float = 0.075, sensor_focal_px: float = 575.0
) -> np.ndarray:
    """Simulates a Kinect-like sensor.

    It has lateral jitter, disparity in eighths of a pixel, and no measurement at edges, on grazing skin and in the projector's shadow.

    Source: Khoshelham and Elberink 2012 (disparity quantisation, noise growing with z^2); Nguyen et al. 2012 (lateral noise,
    angle limit).
    """
    height, width = depth_m.shape
    zoom = float(K[0, 0]) / sensor_focal_px
    y, x = np.mgrid[:height, :width].astype(np.float32)
    jitter = rng.normal(0, 0.5 * max(zoom, 1.0), (2, height, width)).astype(np.float32)
    seen = cv2.remap(depth_m, x + jitter[0], y + jitter[1], cv2.INTER_NEAREST)
    valid = seen > 0
    strength = baseline_m * sensor_focal_px
    disparity = np.where(valid, strength / np.maximum(seen, 0.1), 0)
    disparity = np.round((disparity + rng.normal(0, 0.07, disparity.shape)) * 8) / 8
    out = np.where(valid & (disparity > 0), strength / np.maximum(disparity, 0.1), 0)
    out[_grazing(depth_m, K) & (rng.random(depth_m.shape) < 0.8)] = 0
    # The projector is beside the camera, so a nearer surface can hide a farther one from its pattern.
    K_baseline = float(K[0, 0]) * baseline_m
    shift = x + np.where(depth_m > 0, K_baseline / np.maximum(depth_m, 0.1), K_baseline / 4.0)
    out[np.maximum.accumulate(shift, axis=1) - shift > 1.0 * max(zoom, 1.0)] = 0
    blobs = cv2.resize(rng.normal(0, 1, (max(height // 12, 2), max(width // 12, 2))).astype(np.float32), (width, height))
    out[blobs > 2.3] = 0
    return out.astype(np.float32)


def time_of_flight(depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Simulates a time-of-flight sensor.

    Noise that grows with distance and on slanted skin, pixels that hang between near and far at edges, a slow bias.

    Source: Sarbolandi, Lefloch and Kolb 2015, Kinect range sensing (noise, flying pixels, wiggling error).
    """
    x, y = _directions(depth_m.shape, K)
    smooth = cv2.GaussianBlur(depth_m, (0, 0), 0.8 * max(float(K[0, 0]) / 365.0, 0.5))
    covered = cv2.GaussianBlur((depth_m > 0).astype(np.float32), (0, 0), 0.8 * max(float(K[0, 0]) / 365.0, 0.5))
    mixed = np.where(covered > 0.35, smooth / np.maximum(covered, 1e-3), 0)
    edge = _grazing(depth_m, K)
    out = np.where(depth_m > 0, np.where(edge, mixed, depth_m), 0)
    range_m = out * np.sqrt(1 + x * x + y * y)
    sigma = 0.0015 + 0.0012 * range_m**2 + 0.004 * edge
    wiggle = 0.003 * np.sin(4 * np.pi * range_m / 1.875 + rng.uniform(0, 2 * np.pi))
    out = np.where(out > 0, out + rng.normal(0, 1, out.shape) * sigma + wiggle, 0)
    out[edge & (rng.random(out.shape) < 0.35)] = 0
    return np.maximum(out, 0).astype(np.float32)


def _directions(shape: tuple[int, int], K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return (x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1]


def _grazing(depth_m: np.ndarray, K: np.ndarray, limit_deg: float = 80.0) -> np.ndarray:
    """Where the surface is seen at more than the limit, or ends."""
    gy, gx = np.gradient(cv2.GaussianBlur(depth_m, (0, 0), 0.8))
    slope = np.hypot(gx * K[0, 0], gy * K[1, 1]) / np.maximum(depth_m, 0.3)
    return (slope > np.tan(np.radians(limit_deg))) & (depth_m > 0)
