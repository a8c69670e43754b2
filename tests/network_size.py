"""The size of a network, counted."""

import torch


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def multiply_adds(network, *inputs):
    """Multiply-adds of convolutions and linear layers of one forward pass."""
    total = [0]

    def count(layer, _, output):
        total[0] += output[0].numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return total[0]
