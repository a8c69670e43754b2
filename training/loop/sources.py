"""Opens the training data of a run: rendered datasets, the user's own pictures, or both."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.crops import SyntheticCrops
from ..datasets.base import Face
from ..datasets.label_sheet import axis_sheet
from ..datasets.real_crops import JoinedCrops, RealCrops
from ..datasets.registry import open_faces, spread
from .config import RunConfig

OWN = 'csv:'
TrainingCrops = SyntheticCrops | RealCrops | JoinedCrops


def split_share(source: str) -> tuple[str, float | None]:
    """A source and its share of the training samples: `FOLDER=0.5`; None without one.

    Raises:
        ValueError: for a share that is no number.
    """
    folder, equals, share = source.rpartition('=')
    if not equals or Path(source.removeprefix(OWN)).exists():
        return source, None
    try:
        return folder, float(share)
    except ValueError:
        if source.startswith(OWN):
            return source, None  # the = is part of the file's name
        raise ValueError(f'{source}: neither a folder nor FOLDER=SHARE with a number as its share') from None


def rendered_folders(sources: list[str]) -> list[str]:
    """The folders among the sources, without their shares and without pictures of the user's own."""
    return [split_share(source)[0] for source in sources if not source.startswith(OWN)]


def open_training_data(sources: list[str], config: RunConfig, limit: int | None = None, axes: Path | None = None) -> TrainingCrops:
    """Opens all sources as one set of crops; of rendered datasets the split 'train'.

    Args:
        sources: rendered dataset folders, each with its share of the samples where wanted (`FOLDER=0.5`), and `csv:FILE` of the user's own
            labelled pictures (`datasets.user_csv`). Joined with rendered crops, these are half of the samples drawn.
        config: gives the modality and the pose limits.
        limit: largest number of rendered crops, or of pictures where nothing is rendered.
        axes: picture to write, with the labels drawn on the user's own faces.

    Raises:
        ValueError: for sources without a sample, crops that do not join, or pictures for a depth network.
    """
    folders, files = rendered_folders(sources), [source for source in sources if source.startswith(OWN)]
    depth = config.modality == 'depth'
    if files and depth:
        raise ValueError(f'{files[0]}: pictures have no depth, a network of modality depth trains on rendered datasets alone')
    if files and any(split_share(source)[1] is not None for source in sources):
        raise ValueError('shares are for rendered folders alone; pictures of your own and renders count alike')
    shares = [split_share(source)[1] for source in sources if not source.startswith(OWN)]
    rendered = SyntheticCrops(folders, 'train', depth, config.pose_limits_deg, limit, shares) if folders else None
    if not files:
        return rendered
    faces = own_faces(files)
    if limit is not None and rendered is None:
        faces = spread(faces, limit)
    names = ' and '.join(OWN + Path(file.removeprefix(OWN)).name for file in files)
    own = RealCrops(faces, 192 if rendered is None else rendered.size, config.pose_limits_deg, names)
    if axes is not None:
        axes.parent.mkdir(parents=True, exist_ok=True)
        axis_sheet(faces, axes)
        print(f'{axes}: blue out of the face, green to its left, red up; labels that do not fit the faces have other signs', flush=True)
    return own if rendered is None else JoinedCrops(rendered, own)


def own_faces(files: list[str]) -> list[Face]:
    """The labelled faces of `csv:FILE` sources.

    Faces without yaw or pitch are excluded, and a missing roll counts as 0; a line on the standard output counts both.
    """
    faces = [face for file in files for face in open_faces(file)]
    known = np.isfinite([face.ypr_deg for face in faces])
    usable = known[:, :2].all(1)
    if not usable.all():
        print(f'{", ".join(files)}: {(~usable).sum()} of {len(faces)} faces left out, without yaw or pitch', flush=True)
    if not known[usable, 2].all():
        print(f'{", ".join(files)}: {(~known[usable, 2]).sum()} faces without roll are taken for upright', flush=True)
    return [face for face, use in zip(faces, usable) if use]


def without_landmarks(data: TrainingCrops) -> np.ndarray:
    """(N,) bool: samples without landmarks of their own, whose landmarks are only a circle in their box."""
    if isinstance(data, JoinedCrops):
        return np.arange(len(data)) >= len(data.first)
    return np.full(len(data), isinstance(data, RealCrops))
