"""A training small enough for a test."""

from types import SimpleNamespace

import numpy as np
import torch
import yaml

from c2f_head_pose import geometry
from c2f_head_pose.engine import NetworkOutput
from training.evaluation.model_file import Model
from training.loop.config import config_of
from training.loop.distributed import DistributedContext

torch.set_num_threads(1)  # networks this small only wait for a second thread
ALONE = DistributedContext(0, 1, torch.device('cpu'))
NARROW = {'width': 0.125, 'dropout': 0.0}
PAPER = {'kind': 'paper', 'size': 64, 'start_std': 0.1, 'channels': 16, 'hidden': 32, **NARROW}
"""Settings of a small network like the paper's."""
OURS = {'kind': 'coarse_to_fine', 'size': 48, 'stem': 4, 'widths': [8, 16], 'depths': [1, 1], 'embedding': 32, 'hidden': 8}
"""Settings of a small network like ours."""


def tiny_config(**changes):
    """A configuration of six steps of a network of 48x48 pixels, with changes of its top level."""
    values = {
        'name': 'tiny',
        'batch': 16,
        'shards': 2,
        'steps': 6,
        'precision': 'fp32',
        'log_every': 1,
        'validate_every': 3,
        'validate_on': 8,
        'network': {**OURS, 'squeeze': 8, 'dropout': 0.1},
        'loss': {'kind': 'coarse_to_fine'},
        'schedule': {'kind': 'cooldown', 'warmup': 2},
        'optimiser': {'kind': 'adamw', 'lr': 1e-3, 'weight_decay': 0.05},
    }
    return config_of(values | changes)


def write_config(folder, **changes):
    """The path of a file with `tiny_config`."""
    (folder / 'tiny.yaml').write_text(yaml.safe_dump(tiny_config(**changes).as_dict()))
    return str(folder / 'tiny.yaml')


def all_knowing(R_crop_head, **changes):
    """A model that answers (N, 3, 3) rotations in order, with the categories of those, and the head's deviations as 1 degree."""
    logits = np.eye(4, dtype=np.float32)[geometry.category_index(R_crop_head)]
    output = NetworkOutput(R_crop_head.astype(np.float32), np.full((len(R_crop_head), 3), np.radians(1), np.float32), logits)
    values = {'name': 'all-knowing', 'size': 48, 'crop_margin': 1.5, 'detector_margin': 1.5 / 1.3, 'modality': 'rgb', 'commit': 'c',
              'data_hash': 'd', 'seed': 0, 'engine': SimpleNamespace(infer=lambda crops: output, network=None)}  # fmt: skip
    return Model(**(values | changes))
