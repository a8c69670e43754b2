"""The standard deviations that a network states, scaled in its weights: no operation is added to the graph."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def scaled(weights: dict[str, Tensor], scale: np.ndarray) -> dict[str, Tensor]:
    """Weights whose network states deviations `scale` times as large.

    Args:
        weights: a network's weights.
        scale: (3,) factors about the head's x, y, z.

    Raises:
        ValueError: for a network that states none.
    """
    factor = torch.from_numpy(np.asarray(scale, np.float32))
    if 'std_rad' in weights:
        return {**weights, 'std_rad': weights['std_rad'] * factor}
    biases = {name: bias.clone() for name, bias in weights.items() if name.endswith('regressors.bias')}
    if not biases:
        raise ValueError('this network has no standard deviations to calibrate')
    for bias in biases.values():
        bias[:, 6:] += factor.log()
    return {**weights, **biases}
