"""Builds networks from the `network` part of a configuration."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from .baselines import Classifier, Regressor
from .coarse_to_fine import CoarseToFine, Normalise
from .googlenet import GoogLeNet
from .paper_network import PaperNetwork
from .settings import checked
from .trunk import ResidualTrunk, deepened


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


def fitted(state: dict[str, Tensor], config: dict[str, Any], network: nn.Module, network_config: dict[str, Any]) -> dict[str, Tensor]:
    """Adapts the weights of one network to another whose trunk may have more blocks and whose crops may be larger.

    Args:
        state: weights of the network that `config` builds.
        config: settings of that network.
        network: the target, as built from `network_config`.
        network_config: settings of the target.

    Raises:
        ValueError: if the target's trunk has fewer blocks.
    """
    before, after = config.get('depths'), network_config.get('depths')
    if before is not None and after is not None and before != after:
        state = deepened(state, before, network.get_submodule('trunk'), after, 'trunk.')
    if isinstance(network, CoarseToFine) and config.get('size') != network_config.get('size'):
        theirs, ours = (math.ceil(settings['size'] / network.trunk.stride) for settings in (config, network_config))
        state = enlarged(state, theirs, ours)
    return state


def enlarged(state: dict[str, Tensor], before: int, after: int, name: str = 'embed.2.weight') -> dict[str, Tensor]:
    """Adapts the layer that reads the trunk's map to a map of another side: each old place's weight is spread over the places it covers.

    Args:
        state: weights of the network.
        before: side of its map.
        after: side of the new map.
        name: of the layer's weight, (features, channels * side * side).

    Returns:
        The weights; a larger crop of the same picture is read much as before, and training adapts the rest.
    """
    weight = state[name]
    maps = weight.reshape(len(weight), -1, before, before)
    spread = functional.interpolate(maps, (after, after), mode='bilinear', align_corners=False)
    return {**state, name: (spread * (before / after) ** 2).reshape(len(weight), -1)}


def _coarse_to_fine(stem: int, widths: list[int], depths: list[int], modality: str = 'rgb', **settings: Any) -> CoarseToFine:
    trunk = ResidualTrunk(Normalise(modality).channels, stem, widths, depths)
    return CoarseToFine(trunk, modality=modality, **settings)


def _coarse_to_fine_googlenet(modality: str = 'rgb', norm: str = 'batch', width: float = 1.0, **settings: Any) -> CoarseToFine:
    return CoarseToFine(GoogLeNet(norm, width, Normalise(modality).channels), modality=modality, **settings)


KINDS = {
    'coarse_to_fine': (_coarse_to_fine, CoarseToFine),
    'coarse_to_fine_googlenet': (_coarse_to_fine_googlenet, CoarseToFine),
    'paper': (PaperNetwork,),
    'classifier': (Classifier,),
    'regressor': (Regressor,),
}
"""For each kind: the builder, and the class that takes the further settings."""
