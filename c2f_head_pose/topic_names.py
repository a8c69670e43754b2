"""Classifies image topics by their names: depth or colour, rectified or raw.

Advice depends on it, and which of its two calibrations depth is read by; never how a colour image is read.

Drivers name the stream in the last two parts of a topic, as in /camera/color/image_raw; parts before them, and parts like
`depth_camera`, name the device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_DEVICE = {'camera', 'cam', 'sensor', 'node'}
_DEPTH = ('depth', 'disparity', 'confidence')
_RECTIFIED = ('rect', 'undist')
_COLOUR = {'color', 'colour', 'rgb', 'bgr'}
_INFRARED = {'ir', 'infra', 'infra1', 'infra2', 'infrared', 'thermal', 'mono'}
_DRAWN = {'annotated', 'overlay', 'debug', 'mask', 'heatmap'}
_DERIVED = {'cropped', 'aligned', 'theora'}
_TRANSPORTS = {'compressed', 'compressedDepth', 'theora', 'zstd', 'ffmpeg'}
_ALIGNED = {'aligned', 'registered', 'to'}


def is_depth(topic: str) -> bool:
    """Whether the name is that of depth, or of what belongs to it: depth/..., aligned_depth_to_color/..., stereo/image_raw, disparity."""
    words = _words(topic)
    return any(word.startswith(_DEPTH) for word in words) or ('stereo' in words and not words & {'left', 'right'})


def is_rectified(topic: str) -> bool | None:
    """Whether the name is that of rectified images (image_rect, rectified/..., undistorted/...) or of raw ones; None if of neither."""
    words = _words(topic)
    if any(word.startswith(_RECTIFIED) for word in words):
        return True
    return False if 'raw' in words else None


def colour_topics(topics: Iterable[str]) -> list[str]:
    """The topics that may show faces, the likeliest first: colour, others, infrared, cropped; never depth or what another node draws."""

    def rank(topic: str) -> int:
        words = _words(topic)
        return 3 if words & _DERIVED else 0 if words & _COLOUR else 2 if words & _INFRARED else 1

    return sorted((topic for topic in topics if not (is_depth(topic) or is_drawn(topic))), key=lambda topic: (rank(topic), topic))


def is_drawn(topic: str) -> bool:
    """Whether the name is that of pictures that a node draws for people: image_annotated, debug/image, detections_overlay."""
    return bool(_words(topic) & _DRAWN)


def depth_topics(topics: Iterable[str], aligned_first: bool) -> list[str]:
    """The depth topics, those aligned to the colour image first or last."""
    found = [topic for topic in topics if is_depth(topic) and not _words(topic) & {'disparity', 'confidence'}]
    return sorted(found, key=lambda topic: (is_aligned(topic) != aligned_first, topic))


def is_aligned(topic: str) -> bool:
    """Whether the name is that of depth in the pixels of another camera: aligned_depth_to_color, depth_registered, depth_to_rgb."""
    return bool(is_depth(topic) and _words(topic) & _ALIGNED)


def _words(topic: str) -> set[str]:
    parts = [set(re.split(r'[_.]+', part.lower())) for part in topic.strip('/').split('/') if part not in _TRANSPORTS][-2:]
    return set().union(*(part for part in parts if not part & _DEVICE))
