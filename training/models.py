"""Networks by configuration: `build` turns the `network` part of a config file into a module."""

from __future__ import annotations

from typing import Any

from torch import nn

from .baselines import Classifier, Regressor
from .googlenet import GoogLeNet
from .network import CoarseToFine, Normalise
from .paper_network import PaperNetwork
from .trunk import ResidualTrunk


def build(config: dict[str, Any]) -> nn.Module:
    """The network a configuration names.

    Args:
        config: `kind` and that kind's own settings.

    Raises:
        ValueError: for an unknown kind or setting, naming it.
    """
    settings = dict(config)
    kind = settings.pop('kind', None)
    if kind not in KINDS:
        raise ValueError(f'network kind {kind!r} is none of {sorted(KINDS)}')
    try:
        return KINDS[kind](**settings)
    except TypeError as error:
        raise ValueError(f'network {kind!r}: {error}') from error


def _coarse_to_fine(stem: int, widths: list[int], depths: list[int], modality: str = 'rgb', **settings: Any) -> CoarseToFine:
    trunk = ResidualTrunk(Normalise(modality).channels, stem, widths, depths)
    return CoarseToFine(trunk, modality=modality, **settings)


def _coarse_to_fine_googlenet(modality: str = 'rgb', norm: str = 'batch', width: float = 1.0, **settings: Any) -> CoarseToFine:
    return CoarseToFine(GoogLeNet(norm, width, Normalise(modality).channels), modality=modality, **settings)


KINDS = {
    'coarse_to_fine': _coarse_to_fine,
    'coarse_to_fine_googlenet': _coarse_to_fine_googlenet,
    'paper': PaperNetwork,
    'classifier': Classifier,
    'regressor': Regressor,
}
