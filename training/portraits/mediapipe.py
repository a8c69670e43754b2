"""MediaPipe's networks on a portrait: 478 points of the face, and the outline of the person.

Both are small .tflite files under Apache-2.0, run by LiteRT.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..models.tflite import read_interpreter

LANDMARKER = 'face_landmarker.task'
SEGMENTER = 'selfie_segmentation.tflite'
FACE_MESH = 'face_landmark.tflite'
"""An older landmark network. Portraits do not need it; its weights can begin a training (`training.models.face_mesh`)."""
MESH_POINTS = 468
"""Points of the canonical face; the network's other ten are the irises."""

IBUG68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 195, 1, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61, 39, 37, 0, 267, 269, 291, 405,
    314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""MediaPipe's point for each of the 68 (iBUG) landmarks."""

_CROP = 1.5  # side of the landmark network's square over the face's larger extent, as MediaPipe crops
_ROUNDS = 3  # the square is laid anew about the points found


class MediaPipe:
    """Both networks.

    Args:
        folder: folder with `LANDMARKER` and `SEGMENTER`.

    Raises:
        RuntimeError: where LiteRT or a file is missing, with the remedy.
    """

    def __init__(self, folder: Path):
        for name in (LANDMARKER, SEGMENTER):
            if not (folder / name).is_file():
                raise RuntimeError(f'{folder / name} is missing: run `python -m training.portraits fetch`')
        with zipfile.ZipFile(folder / LANDMARKER) as archive:
            self._landmarks = read_interpreter(content=archive.read('face_landmarks_detector.tflite'))
            self.canonical = canonical_mesh(archive.read('geometry_pipeline_metadata_landmarks.binarypb'))
        self._segments = read_interpreter(content=(folder / SEGMENTER).read_bytes())

    def face_points(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The points of the face in a box: (478, 3) float64, x and y continuous pixels, z in pixels, smaller nearer, its zero arbitrary.

        Args:
            image: (H, W, 3) uint8 BGR.
            box: (4,) x1 y1 x2 y2 about the face, pixels.
        """
        low, high = np.asarray(box[:2], float), np.asarray(box[2:], float)
        for _ in range(_ROUNDS):
            centre, side = (low + high) / 2, _CROP * float((high - low).max())
            points = self._face_points(image, centre, side)
            low, high = points[:, :2].min(0), points[:, :2].max(0)
        return points

    def _face_points(self, image: np.ndarray, centre: np.ndarray, side: float) -> np.ndarray:
        (entry,) = self._landmarks.get_input_details()
        size = int(entry['shape'][1])
        scale, corner = size / side, centre - side / 2
        # the first pixel's centre is 0 for OpenCV, 0.5 here
        shift = 0.5 * scale - 0.5 - corner * scale
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        points = _run(self._landmarks, crop)[0].reshape(-1, 3).astype(float) * side / size
        points[:, :2] += corner
        return points

    def person(self, image: np.ndarray) -> np.ndarray:
        """(H, W) float32, how likely each pixel is the person."""
        (entry,) = self._segments.get_input_details()
        size = int(entry['shape'][1])
        crop = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        mask = _run(self._segments, crop)[0].reshape(size, size).astype(np.float32)
        return np.clip(cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), 0, 1)


def _run(interpreter: Any, bgr: np.ndarray) -> list[np.ndarray]:
    """The outputs for a picture of the input's size, in the file's order."""
    (entry,) = interpreter.get_input_details()
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    interpreter.set_tensor(entry['index'], rgb[None])
    interpreter.invoke()
    return [interpreter.get_tensor(output['index']) for output in interpreter.get_output_details()]


def canonical_mesh(metadata: bytes) -> np.ndarray:
    """(468, 3) float64 points of MediaPipe's canonical face, centimetres; x to the person's left, y up, z out of the face.

    Args:
        metadata: the protocol buffer `GeometryPipelineMetadata` (mediapipe/tasks/cc/vision/face_geometry/proto): its message
            `canonical_mesh`, whose field 3 repeats floats, x y z u v of each vertex.
    """
    mesh = next(value for field, value in _fields(metadata) if field == 1)
    floats = [struct.unpack('<f', value)[0] for field, value in _fields(mesh) if field == 3]
    return np.array(floats).reshape(-1, 5)[:, :3]


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    """Number and bytes of each field of a protocol buffer's message; numbers of variable length are skipped."""
    out, at = [], 0

    def number() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        field, kind = key >> 3, key & 7
        if kind == 0:
            number()
            continue
        length = {1: 8, 5: 4}[kind] if kind != 2 else number()
        out.append((field, message[at : at + length]))
        at += length
    return out
