"""Measures and fits the detection of heads in depth alone: `python -m training.studies.depth_heads [--frames 70] [--seed 91] [--fit]`.

Uses rendered frames of a structured-light and a time-of-flight camera with one to three people at 0.5 to 3 m, with hair, hats and
occlusion. A head counts as found if its middle, 9 cm behind the sellion, is found within 5 cm. The table was fitted on seed 77 and is
measured on seed 91, with other people and frames.

With the environment variable BIWI_DIR (frames of the Biwi Kinect Head Pose Database with their depth.cal) real depth is measured too:
the distance of a found head from the set's centre (that of its face model, about 5 cm in front of and 4 cm below the head's middle), and
with --model the error of the orientation.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from c2f_head_pose import HeadPoseEstimator, geometry
from c2f_head_pose import depth_head_finder as depth_heads
from c2f_head_pose.types import Camera

from ..datasets import biwi
from ..synthetic import presets
from ..synthetic.assets import fetch as assets
from ..synthetic.scene import frames, lights
from ..synthetic.scene.crops import FRAME_HEIGHT, FRAME_WIDTH, CropMaker
from ..synthetic.sensors import depth as depth_sensor

SENSORS = ('structured_light', 'time_of_flight')
MIDDLE_IN_HEAD_M = np.array([-0.09, 0.0, 0.0])
"""The head's middle from the sellion, in head axes: half of the depth of an adult's head of 19 cm, minus the bridge of the nose."""
FOUND_M = 0.05


@dataclass(frozen=True, eq=False)
class DepthFrame:
    """One frame as measured by each sensor.

    Attributes:
        camera: the camera.
        depth_m: depth by sensor, (H, W) float32 metres, 0 unknown.
        middles_m: (N, 3) middle of each head whose sellion is visible in the picture.
        all_middles_m: (M, 3) of all heads.
    """

    camera: Camera
    depth_m: dict[str, np.ndarray]
    middles_m: np.ndarray
    all_middles_m: np.ndarray


def rendered(seed: int, count: int) -> Iterator[DepthFrame]:
    """Renders frames of a population."""
    maker = CropMaker(assets.cache_dir(), replace(presets.PRESETS['wide'], crop_size=96, identities=200), seed)
    for number in range(count):
        yield _frame(maker, np.random.default_rng([seed, 0xD397, number]))


def _frame(maker: CropMaker, rng: np.random.Generator) -> DepthFrame:
    camera = frames.camera_640x480(rng.uniform(450, 700))
    focal = camera.K[[0, 1], [0, 1]]
    count = int(rng.choice([1, 2, 3], p=[0.4, 0.35, 0.25]))
    lighting = lights.sample(rng, maker.preset.lights or None)[-1]
    people, places, middles = [], [], []
    for column in rng.permutation((np.arange(count) + 0.5) / count):
        dressed = maker.dress_person(rng, maker.people[rng.integers(len(maker.people))], maker.preset.variety)
        distance = rng.uniform(0.5, 3.0) if count == 1 else rng.uniform(0.9, 3.0)
        x = (column - 0.5 + rng.uniform(-0.08, 0.08)) * FRAME_WIDTH
        y = max(rng.uniform(-0.25, 0.1) * FRAME_HEIGHT, FRAME_HEIGHT / 2 - 0.5 * focal[1] / distance)  # hides the body's end
        t_cam_head_m = distance * np.array([x / focal[0], y / focal[1], 1.0])
        pose = np.clip(rng.normal(0, [35, 16, 9]), [-95, -50, -30], [95, 50, 30])
        R_cam_head = geometry.rotation_from_ypr_deg(pose)
        bones = dressed.person.bones(R_cam_head, geometry.rotation_from_ypr_deg(pose * [0.45, 0.1, 0.2]), t_cam_head_m)
        people.append((dressed.person.parts, bones, t_cam_head_m))
        places.append(t_cam_head_m)
        middles.append(t_cam_head_m + R_cam_head @ MIDDLE_IN_HEAD_M)
    wall_m = max(2.4, max(t[2] for t in places) + 0.5)
    black = np.zeros((FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
    _, depth_m = frames.draw(maker.renderer, people, camera, lighting, black, rng.uniform(wall_m, wall_m + 1.5))
    seen = [_seen(depth_m, camera, t) for t in places]
    measured = {sensor: depth_sensor.measure(sensor, depth_m, camera.K, rng) for sensor in SENSORS}
    return DepthFrame(camera, measured, np.array(middles)[seen], np.array(middles))


def _seen(depth_m: np.ndarray, camera: Camera, t_m: np.ndarray) -> bool:
    """Whether the surface measured about a sellion is its own head."""
    x, y = (camera.K @ t_m)[:2] / t_m[2]
    reach = max(2, int(0.03 * camera.K[0, 0] / t_m[2]))
    around = depth_m[max(0, int(y) - reach) : int(y) + reach + 1, max(0, int(x) - reach) : int(x) + reach + 1]
    return bool(0 <= x < FRAME_WIDTH and 0 <= y < FRAME_HEIGHT and abs(np.median(around) - t_m[2]) < 0.2)


@dataclass
class Tally:
    """Detections of one sensor: number of heads, false detections, and the error of each head that was found."""

    heads: int = 0
    false: int = 0
    errors_m: list[np.ndarray] | None = None

    def add(self, frame: DepthFrame, found: list[depth_heads.DepthHead]) -> None:
        """Adds a frame; each detection is matched to at most one head."""
        self.errors_m = self.errors_m or []
        left = [head.centre_m for head in found]
        for middle_m in frame.middles_m:
            nearest = min(range(len(left)), key=lambda i: np.linalg.norm(left[i] - middle_m), default=None)
            if nearest is not None and np.linalg.norm(left[nearest] - middle_m) < 0.25:
                self.errors_m.append(left.pop(nearest) - middle_m)
        self.heads += len(frame.middles_m)
        self.false += sum(all(np.linalg.norm(at - m) > 0.3 for m in frame.all_middles_m) for at in left)

    @property
    def share_within(self) -> float:
        """Share of heads whose middle was found within 5 cm."""
        return sum(float(np.linalg.norm(error)) < FOUND_M for error in self.errors_m or []) / max(self.heads, 1)

    def line(self, sensor: str) -> str:
        """Formats the counts as one line of text."""
        distances = np.linalg.norm(self.errors_m or [np.full(3, np.nan)], axis=1)
        return (
            f'{sensor}: {self.heads} heads, {100 * self.share_within:.1f} % within 5 cm, '
            f'{len(self.errors_m or [])} found at all, {self.false} false; error median {100 * np.median(distances):.1f} cm, '
            f'98 % within {100 * np.percentile(distances, 98):.1f} cm'
        )


def measure(seed: int, count: int) -> dict[tuple[str, int], Tally]:
    """Finds heads in rendered frames; tallies by sensor and number of people, 0 for all frames."""
    tallies = {(sensor, people): Tally() for sensor in SENSORS for people in (0, 1, 2, 3)}
    for frame in rendered(seed, count):
        for sensor, depth_m in frame.depth_m.items():
            found = depth_heads.find_heads(depth_m, frame.camera)
            for people in (0, len(frame.all_middles_m)):
                tallies[sensor, people].add(frame, found)
    return tallies


def biwi_lines(folder: Path, model: str | None) -> Iterator[str]:
    """Formats one line of text for each real frame with its detections.

    Args:
        folder: frames with their depth.cal.
        model: shipped name or path of a depth model; None for positions alone.
    """
    estimator = HeadPoseEstimator.load(model) if model else None
    for path in sorted(folder.glob('**/*_depth.bin')):
        depth_m = biwi.read_depth_m(path)
        R_cam_head, centre_m = biwi.read_pose(path.with_name(path.name.replace('_depth.bin', '_pose.txt')))
        calibration = biwi.read_calibration(path.parent / 'depth.cal')
        camera = Camera(calibration.width, calibration.height, calibration.K)
        apart_cm = sorted(
            (100 * R_cam_head.T @ (head.centre_m - centre_m) for head in depth_heads.find_heads(depth_m, camera)), key=np.linalg.norm
        )
        line = f'{path.name}: {len(apart_cm)} found'
        if apart_cm:
            line += (
                f', the nearest {np.linalg.norm(apart_cm[0]):.1f} cm from the centre given: {-apart_cm[0][0]:.1f} behind it, '
                f'{apart_cm[0][1]:.1f} to the left, {apart_cm[0][2]:.1f} above, in head axes'
            )
        for pose in estimator.estimate(None, camera, depth_m) if estimator is not None else []:
            yaw, pitch, roll = pose.yaw_pitch_roll_deg
            line += (
                f'; orientation yaw {yaw:.1f} pitch {pitch:.1f} roll {roll:.1f}, '
                f'{geometry.geodesic_deg(pose.R_cam_head, R_cam_head):.1f} degrees from the one given'
            )
        yield line


def fit(seed: int, count: int, ridge: float = 1e-3) -> np.ndarray:
    """Fits depth_head_finder's table, (17, 2), by ridge regression: it maps the outline to the head's middle, down and in depth."""
    outlines, offsets = [], []
    for frame in rendered(seed, count):
        for depth_m in frame.depth_m.values():
            for head in depth_heads.find_heads(depth_m, frame.camera, table=np.zeros_like(depth_heads.FROM_OUTLINE)):
                nearest = min(frame.middles_m, key=lambda m, at=head.centre_m: np.linalg.norm(m - at), default=None)
                if nearest is not None and np.linalg.norm(nearest - head.centre_m) < 0.2:
                    outlines.append(np.r_[1.0, head.outline_m])
                    offsets.append((nearest - head.centre_m)[1:])
    A, b = np.array(outlines), np.array(offsets)
    return np.linalg.solve(A.T @ A + ridge * np.diag([0.0] + 16 * [1.0]), A.T @ b)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.depth_heads', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--frames', type=int, default=70)
    parser.add_argument('--seed', type=int, default=91)
    parser.add_argument('--fit', action='store_true', help='print the table fitted on these frames instead')
    parser.add_argument('--model', help='a depth model, to read orientations in BIWI_DIR with')
    args = parser.parse_args(arguments)
    if args.fit:
        print(np.array2string(fit(args.seed, args.frames), precision=3, separator=', ', suppress_small=True))
        return 0
    for (sensor, people), tally in measure(args.seed, args.frames).items():
        print(tally.line(f'{sensor}, {people} before it' if people else sensor))
    if folder := os.environ.get('BIWI_DIR'):
        print(*biwi_lines(Path(folder), args.model), sep='\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
