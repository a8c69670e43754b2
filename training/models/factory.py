"""Builds networks from the `network` part of a configuration."""

from __future__ import annotations

from typing import Any

from torch import nn

from .baselines import Classifier, Regressor
from .coarse_to_fine import CoarseToFine, Normalise
from .ensemble import Ensemble
from .face_mesh import FaceMeshTrunk, FacePoints
from .googlenet import GoogLeNet
from .paper_network import PaperNetwork
from .settings import checked
from .symmetric import Symmetric
from .trunk import ResidualTrunk


def build(config: dict[str, Any]) -> nn.Module:
    """Builds a network.

    Args:
        config: `kind` and the settings of that kind.

    Raises:
        ValueError: for an unknown kind or setting; the message names it.
    """
    kind, settings = check_settings(config)
    return KINDS[kind][0](**settings)


def check_settings(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Checks a configuration without building the network; returns the kind and its settings. Raises as `build` does."""
    settings = dict(config)
    kind = settings.pop('kind', None)
    if kind not in KINDS:
        raise ValueError(f'network kind {kind!r} is none of {sorted(KINDS)}')
    return kind, checked(settings, 'network', *KINDS[kind])


def _coarse_to_fine(stem: int, widths: list[int], depths: list[int], modality: str = 'rgb', **settings: Any) -> CoarseToFine:
    trunk = ResidualTrunk(Normalise(modality).channels, stem, widths, depths)
    return CoarseToFine(trunk, modality=modality, **settings)


def _coarse_to_fine_googlenet(modality: str = 'rgb', norm: str = 'batch', width: float = 1.0, **settings: Any) -> CoarseToFine:
    return CoarseToFine(GoogLeNet(norm, width, Normalise(modality).channels), modality=modality, **settings)


def _coarse_to_fine_face_mesh(frozen: int = 0, **settings: Any) -> CoarseToFine:
    return CoarseToFine(FaceMeshTrunk(frozen), **settings)


def _coarse_to_fine_face_points(size: int, **settings: Any) -> CoarseToFine:
    if size != FacePoints.stride:
        raise ValueError(f'network.size {size} is not {FacePoints.stride}, the only size that the network of the points reads')
    return CoarseToFine(FacePoints(), size, **settings)


def _symmetric(network: dict[str, Any], size: int) -> Symmetric:
    return Symmetric(build({**network, 'size': size}))


def _ensemble(members: list[dict], size: int, aligned_margin: float | None = None) -> Ensemble:
    return Ensemble([build(settings) for settings in members], size, aligned_margin)


KINDS = {
    'coarse_to_fine': (_coarse_to_fine, CoarseToFine),
    'coarse_to_fine_googlenet': (_coarse_to_fine_googlenet, CoarseToFine),
    'coarse_to_fine_face_mesh': (_coarse_to_fine_face_mesh, CoarseToFine),
    'coarse_to_fine_face_points': (_coarse_to_fine_face_points, CoarseToFine),
    'ensemble': (_ensemble,),
    'symmetric': (_symmetric,),
    'paper': (PaperNetwork,),
    'classifier': (Classifier,),
    'regressor': (Regressor,),
}
"""For each kind: the builder, and the class that takes the further settings."""
