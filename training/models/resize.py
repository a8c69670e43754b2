"""Adapts the weights of one network to another that is deeper, shallower, narrower, or reads larger crops.

Growth preserves the function (`deepened`) or nearly so (`enlarged`). Pruning removes the blocks and channels that change the output
least, judged by the weights alone (Li et al. 2017, Pruning Filters for Efficient ConvNets); the network must then be trained further.
"""

from __future__ import annotations

import math
import re
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from .coarse_to_fine import CoarseToFine
from .trunk import ResidualTrunk

State = dict[str, Tensor]


def fitted(state: State, config: dict[str, Any], network: nn.Module, network_config: dict[str, Any]) -> State:
    """Adapts the weights of one network to another whose trunk may have other depths, fewer channels, or larger crops.

    Args:
        state: weights of the network that `config` builds.
        config: settings of that network.
        network: the target, as built from `network_config`.
        network_config: settings of the target.

    Raises:
        ValueError: if a stage of the target's trunk has more channels, or no block where the other has some.
    """
    if isinstance(getattr(network, 'trunk', None), ResidualTrunk) and 'depths' in config:
        before, after = config['depths'], network_config['depths']
        if len(before) != len(after) or not all(after):
            raise ValueError(f'a trunk of depths {before} cannot be changed to {after}: both need as many stages, each with a block')
        kept = [min(pair) for pair in zip(before, after)]
        state = shallower(state, before, kept)
        state = narrower(state, kept, network_config['widths'])
        state = deepened(state, kept, network.trunk, after)
    if isinstance(network, CoarseToFine) and config.get('size') != network_config.get('size'):
        sides = (math.ceil(settings['size'] / network.trunk.stride) for settings in (config, network_config))
        state = enlarged(state, *sides)
    return state


def _places(depths: list[int]) -> list[list[int]]:
    """Numbers of each stage's layers in the trunk: the convolution that begins the stage, then its blocks."""
    numbers, at = [], 1
    for depth in depths:
        numbers.append(list(range(at, at + depth + 1)))
        at += depth + 1
    return numbers


def _renumbered(state: State, numbers: dict[int, int]) -> State:
    """The trunk's layers under new numbers; layers without a number are removed, and weights outside of the trunk are kept."""
    found = {}
    for name, value in state.items():
        layer = re.match(r'trunk\.layers\.(\d+)\.(.*)', name)
        if not layer:
            found[name] = value
        elif int(layer[1]) in numbers:
            found[f'trunk.layers.{numbers[int(layer[1])]}.{layer[2]}'] = value
    return found


def deepened(state: State, before: list[int], trunk: nn.Module, after: list[int]) -> State:
    """Adds bottlenecks that are the identity, so that the deeper trunk computes the same function.

    Source: function-preserving growth (Chen et al. 2016, Net2Net), here with Goyal et al.'s zero weights in place of an identity kernel.

    Args:
        state: weights of the shallower network.
        before: depths of the shallower trunk.
        trunk: the deeper trunk as built; its new blocks are copied.
        after: depths of the deeper trunk, none less than before.
    """
    numbers = {0: 0}
    for old, new in zip(_places(before), _places(after)):
        numbers |= dict(zip(old, new))
    return {f'trunk.{name}': value for name, value in trunk.state_dict().items()} | _renumbered(state, numbers)


def shallower(state: State, before: list[int], after: list[int]) -> State:
    """Removes the blocks of each stage that add least to their input: those whose last normalisation has the least scale.

    Args:
        state: weights of the deeper network.
        before: depths of the deeper trunk.
        after: depths of the shallower trunk, none more than before.
    """
    numbers = {0: 0}
    for old, new in zip(_places(before), _places(after)):
        by_scale = sorted(old[1:], key=lambda i: -float(state[f'trunk.layers.{i}.norm.weight'].square().sum()))
        numbers |= dict(zip([old[0], *sorted(by_scale[: len(new) - 1])], new))
    return _renumbered(state, numbers)


def narrower(state: State, depths: list[int], widths: list[int]) -> State:
    """Removes the channels of each stage, and those inside of its bottlenecks, that matter least to the layers that read them.

    A channel's weight is the scale of the normalisations that write it times the size of the (normalised) kernels that read it.

    Args:
        state: weights of the wider network.
        depths: depths of both trunks.
        widths: channels of the narrower trunk's stages.

    Raises:
        ValueError: if a stage has fewer channels than asked for.
    """
    state = dict(state)
    stages = _places(depths)
    for stage, (places, width) in enumerate(zip(stages, widths)):
        blocks = [f'trunk.layers.{i}.' for i in places[1:]]
        begin = f'trunk.layers.{places[0]}.'
        ends = stage + 1 == len(stages)
        after = 'squeeze.' if ends else f'trunk.layers.{stages[stage + 1][0]}.'
        _prune(
            state,
            width,
            [(f'{begin}0.weight', f'{begin}1.'), *((f'{block}widen.weight', f'{block}norm.') for block in blocks)],
            [(f'{after}0.weight', f'{after}1.'), *((f'{block}squeeze.0.weight', f'{block}squeeze.1.') for block in blocks)],
        )
        for block in blocks:
            squeeze, mix = ((f'{block}{name}.0.weight', f'{block}{name}.1.') for name in ('squeeze', 'mix'))
            _prune(state, width // 2, [squeeze], [mix])
            _prune(state, width // 2, [mix], [(f'{block}widen.weight', f'{block}norm.')])
    return state


def _prune(state: State, width: int, writers: list[tuple[str, str]], readers: list[tuple[str, str]]) -> None:
    """Keeps the `width` channels with the largest weights.

    Args:
        state: weights of the network, changed in place.
        width: number of channels to keep.
        writers: kernels whose output channels these are, each with the prefix of its normalisation.
        readers: kernels whose input channels these are, likewise.
    """
    have = len(state[writers[0][0]])
    if width == have:
        return
    if width > have:
        raise ValueError(f'a trunk of {have} channels cannot grow to {width}: only fewer channels are possible')
    written = sum(state[f'{norm}weight'].square() + state[f'{norm}bias'].square() for _, norm in writers)
    read = sum(_folded(state, kernel, norm).square().sum((0, 2, 3)) for kernel, norm in readers)
    kept = (written * read).argsort(descending=True)[:width].sort().values
    for kernel, norm in writers:
        state[kernel] = state[kernel][kept]
        for part in ('weight', 'bias', 'running_mean', 'running_var'):
            state[norm + part] = state[norm + part][kept]
    for kernel, _ in readers:
        state[kernel] = state[kernel][:, kept]


def _folded(state: State, kernel: str, norm: str) -> Tensor:
    """The kernel with its normalisation's scale multiplied in."""
    scale = state[f'{norm}weight'] / (state[f'{norm}running_var'] + 1e-5).sqrt()
    return state[kernel] * scale[:, None, None, None]


def enlarged(state: State, before: int, after: int, name: str = 'embed.2.weight') -> State:
    """Adapts the layer that reads the trunk's map to a map of another side: each old place's weight is spread over the places it covers.

    Args:
        state: weights of the network.
        before: side of its map.
        after: side of the new map.
        name: name of the layer's weight, (features, channels * side * side).

    Returns:
        The weights; a larger crop of the same picture is read much as before, and training adapts the rest.
    """
    weight = state[name]
    maps = weight.reshape(len(weight), -1, before, before)
    spread = functional.interpolate(maps, (after, after), mode='bilinear', align_corners=False)
    return {**state, name: (spread * (before / after) ** 2).reshape(len(weight), -1)}
