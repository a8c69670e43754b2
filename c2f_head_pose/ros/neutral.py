"""Learns the orientation in which a person looks straight ahead, and stores it in a file for each camera."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import threading
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from ..counting import counted
from ..files import expand_user, read_yaml
from ..geometry import HEAD_AXES, geodesic_deg, nearest_rotation, quaternion_from_rotation, ray_rotation, rotation_from_quaternion
from ..parameters import LONGEST_WINDOW_S
from ..turn import turn_rotation_back
from ..types import HeadPose

KINDS = ('person', 'mount')
_LEAST_SAMPLES = 5
_LARGEST_SPREAD_DEG = 5.0
_LARGEST_OFFSET_DEG = 45.0
"""A person who looks into the camera reads as far off by a few degrees; an offset nearer to a quarter turn is that of a turned image."""


class NeutralError(RuntimeError):
    """A neutral cannot be learned or stored; the text gives the reason and the remedy."""


@dataclass(frozen=True, eq=False)
class Neutral:
    """A learned offset.

    Attributes:
        kind: 'person': the person looked into the camera; the head's axes are turned by `R`: R_cam_head @ R. Holds for poses, TF and
            angles. 'mount': the person looked straight ahead; the camera's axes are turned: R @ R_cam_head. Holds for angles only,
            since a pose is in the camera's own frame.
        R: (3, 3).
    """

    kind: str
    R: np.ndarray

    def of_pose(self, pose: HeadPose) -> HeadPose:
        """Removes the person's offset from a pose: from rotations, smoothed or not, and from their deviations, about the new axes.

        R_true = R exp([d]x) turned by N is (R N) exp([N^T d]x), so the covariance about the new axes is N^T diag(s^2) N; its diagonal
        is kept.
        """
        if self.kind != 'person':
            return pose
        return replace(
            pose,
            R_cam_head=pose.R_cam_head @ self.R,
            R_cam_head_unsmoothed=None if pose.R_cam_head_unsmoothed is None else pose.R_cam_head_unsmoothed @ self.R,
            rotation_std_deg=np.sqrt(np.square(self.R.T) @ np.square(pose.rotation_std_deg)),
        )

    @property
    def R_turned_cam(self) -> np.ndarray:
        """(3, 3) for the angles: from the camera's axes to those of a camera straight before the person."""
        return self.R if self.kind == 'mount' else np.eye(3)

    @property
    def offset_deg(self) -> float:
        """Angle of the offset, degrees."""
        return float(geodesic_deg(np.eye(3), self.R))


NONE = Neutral('person', np.eye(3))


class NeutralLearner:
    """Remembers the primary face for `LONGEST_WINDOW_S`; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int | None, HeadPose]] = deque()

    def add(self, at_s: float, pose: HeadPose | None) -> None:
        """Keeps an image's primary face as it was estimated, without any neutral; None for an image without a face."""
        with self._lock:
            if pose is not None:
                self._seen.append((at_s, pose.track_id, pose))
            while self._seen and at_s - self._seen[0][0] > LONGEST_WINDOW_S:
                self._seen.popleft()

    def forget(self) -> None:
        """Forgets everything seen."""
        with self._lock:
            self._seen.clear()

    def learn(self, kind: str, now_s: float, window_s: float, image_rotation: int) -> Neutral:
        """Learns the neutral with which the mean of the last seconds is straight ahead.

        Args:
            kind: one of KINDS.
            now_s: the present time on the clock of `add`, seconds.
            window_s: length of the time to look back, seconds.
            image_rotation: clockwise rotation that makes the images upright, degrees: an upright head is turned back by it in the camera.

        Raises:
            NeutralError: for too few images of one face, a head that moved, or a person who did not look into the camera.
        """
        with self._lock:
            recent = [(i, pose) for at_s, i, pose in self._seen if now_s - at_s <= window_s]
        poses = [pose for i, pose in recent if i == recent[-1][0]]
        if len(poses) < _LEAST_SAMPLES:
            look = 'the driver look straight ahead' if kind == 'mount' else 'one person look into the camera'
            raise NeutralError(
                f'only {counted(len(poses), "image")} of a face in the last {window_s:g} s, {_LEAST_SAMPLES} are needed: let {look} '
                'and keep still, and call again; where images come more slowly, with a longer neutral_window_s'
            )
        estimates = np.array([pose.R_cam_head if pose.R_cam_head_unsmoothed is None else pose.R_cam_head_unsmoothed for pose in poses])
        R_mean = nearest_rotation(estimates.mean(0))
        spread_deg = float(np.sqrt(np.mean(np.square(geodesic_deg(R_mean, estimates)))))
        if spread_deg > _LARGEST_SPREAD_DEG:
            raise NeutralError(f'the head moved by {spread_deg:.1f} deg (at most {_LARGEST_SPREAD_DEG:g}): keep it still and call again')
        if kind == 'mount':
            return Neutral(kind, HEAD_AXES @ R_mean.T)
        t_cam_head_m = poses[-1].t_cam_head_m
        R_ray = np.eye(3) if t_cam_head_m is None else ray_rotation(t_cam_head_m)
        neutral = Neutral(kind, R_mean.T @ R_ray @ turn_rotation_back(HEAD_AXES, image_rotation))
        if neutral.offset_deg > _LARGEST_OFFSET_DEG:
            raise NeutralError(
                f'the head is {neutral.offset_deg:.0f} deg off from looking into the camera (at most {_LARGEST_OFFSET_DEG:g}): look '
                'into it and call again, set neutral to mount, or set image_rotation if the camera is mounted sideways or upside down'
            )
        return neutral


def neutral_path(folder: str, node: str, frame_id: str) -> Path:
    """Returns the file of a camera, one for each node and frame, so that two cameras never share one.

    Args:
        folder: '' for c2f_head_pose in $ROS_HOME, else ~/.ros.
        node: fully qualified name.
        frame_id: the images' frame.

    Raises:
        NeutralError: where the system does not know the home folder.
    """
    if folder:
        chosen = chosen_folder(folder, NeutralError)
    else:
        ros_home = os.environ.get('ROS_HOME') or expand_user('~/.ros', NeutralError, 'set neutral_folder, HOME or ROS_HOME')
        chosen = Path(ros_home) / 'c2f_head_pose'
    name = re.sub(r'[^A-Za-z0-9_-]+', '.', f'{node.strip("/")}@{frame_id.strip("/")}')
    return chosen / f'neutral_{name}.yaml'


def chosen_folder(folder: str, error: type[Exception]) -> Path:
    """Returns the folder that the parameter neutral_folder names.

    Raises:
        error: for ~ where the system does not know that home folder.
    """
    return expand_user(folder, error, 'set neutral_folder to a path without ~')


def save(path: Path, neutral: Neutral, camera: str) -> None:
    """Writes a neutral whole or not at all.

    Raises:
        NeutralError: where it cannot be written, with the reason.
    """
    content = {
        'camera': camera,
        'kind': neutral.kind,
        'quaternion_xyzw': quaternion_from_rotation(neutral.R).tolist(),
        'learned': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
    }
    part = path.with_suffix(f'.{os.getpid()}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open('w') as file:
            file.write(yaml.safe_dump(content, sort_keys=False))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise NeutralError(f'{path} cannot be written ({error.strerror}): set neutral_folder to a folder that can') from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def load(path: Path) -> Neutral | None:
    """Reads the neutral from a file; None if there is no file.

    Raises:
        NeutralError: for a file that cannot be used.
    """
    try:
        content = read_yaml(path)
        R = rotation_from_quaternion(np.array([float(x) for x in content['quaternion_xyzw']]))
        if content['kind'] not in KINDS:
            raise ValueError(f'its kind is none of {", ".join(KINDS)}')
        found = Neutral(content['kind'], R)
        if found.kind == 'person' and found.offset_deg > _LARGEST_OFFSET_DEG:
            raise ValueError(
                f"it turns the person's head by {found.offset_deg:.0f} deg, more than {_LARGEST_OFFSET_DEG:g}, "
                'as one learned by an older version with image_rotation does'
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise NeutralError(
            f'{path} cannot be used ({type(error).__name__}: {error}): call ~/set_neutral again, or ~/clear_neutral'
        ) from None
    return found


def clear(path: Path) -> None:
    """Removes a camera's file, if there is one.

    Raises:
        NeutralError: where it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise NeutralError(
            f'{path} cannot be removed ({error.strerror}): let the node write into its folder, or delete it by hand'
        ) from None
