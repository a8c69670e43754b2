"""Selects the functions that make network input from rendered crops, by modality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .augment import Batch, augment, plain
from .depth import augment_depth, plain_depth

EVALUATION_BACKGROUND = 90.0
"""Gray level behind undisturbed RGB crops."""


@dataclass(frozen=True)
class CropFunctions:
    """The functions that make crops of one modality.

    Attributes:
        augment: (crops, size, augmentation, generator) to a batch of training crops.
        plain: (crops, size, margin) to a batch of undisturbed, centred crops.
    """

    augment: Callable[..., Batch]
    plain: Callable[..., Batch]


CROP_FUNCTIONS = {
    'rgb': CropFunctions(augment, partial(plain, background=EVALUATION_BACKGROUND)),
    'depth': CropFunctions(augment_depth, plain_depth),
}
