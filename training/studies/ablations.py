"""Ablations of our network: `python -m training.studies.ablations --data FOLDER --out FOLDER`.

Trains `edge` and every configuration whose base it is for the same steps from the same seeds, and tests them on the same held-out
identities, augmented as for `edge`. `edge` is trained with two seeds, so that the table shows the noise. A configuration that has its
`final.pt` is not trained again. Figures go to training/results/ablations.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics

from ..command import add_threads_option, add_workers_option, exits_with_message, positive_int, use_threads
from ..data.crops import SyntheticCrops
from ..evaluation import results
from ..loop import checkpoint
from ..loop.config import CONFIGS, RunConfig, read_config, read_yaml
from ..loop.loader import keep_freed_memory
from ..loop.trained import Way, trained
from ..loop.validate import estimate, held_out, in_use

BASE = 'edge'
COLUMNS = ('all', 'in_use', 'near_border', 'coarse', 'within_1')
"""Mean geodesic error in degrees over all rendered poses, over those in use, over those of them within 5 degrees of a border between
the paper's sub-spaces; share of right categories in use; share of errors within the stated standard deviation."""
FIELDS = ('configuration', 'seed', *COLUMNS, 'n', 'iterations', 'samples', 'size', 'command', 'commit', 'data_hash')


def names() -> list[str]:
    """Returns the names of the configurations, `edge` first; the networks that were made from an ablation are none."""
    return [BASE, *sorted(path.stem for path in CONFIGS.glob('*.yaml') if read_yaml(path.read_text(), str(path)).get('base') == BASE)]


def figures(network: torch.nn.Module, crops: torch.Tensor, truth: np.ndarray) -> dict[str, float]:
    """Computes COLUMNS of a network on (N, 1, S, S) uint8 crops with (N, 3, 3) true rotations."""
    R, std, logits = estimate(network, crops)
    error = geometry.geodesic_deg(truth, R)
    used = in_use(truth)
    near = used & (metrics.boundary_distance_deg(truth) <= 5)
    return {
        'all': float(error.mean()),
        'in_use': float(error[used].mean()),
        'near_border': float(error[near].mean()),
        'coarse': metrics.coarse_accuracy(truth[used], logits[used])['beyond_0'],
        'within_1': metrics.std_calibration(truth[used], R[used], std[used])['within_1'],
    }


def train(config: RunConfig, data: list[str], out: Path, device: str, workers: int) -> checkpoint.Content:
    """Returns the checkpoint of a configuration, and trains it first if there is none.

    Raises:
        ValueError: if the checkpoint was trained with other settings or data.
    """
    train_set = SyntheticCrops(data, 'train', config.modality == 'depth', config.pose_limits_deg)
    return trained(config, train_set, out / f'{config.name}-{config.seed}', Way(device, workers))


def write(rows: list[dict[str, object]], path: Path) -> None:
    """Writes rows in place of those of the same configuration and seed."""
    kept: dict[tuple[str, str], dict[str, object]] = {(row['configuration'], row['seed']): {**row} for row in results.read_rows(path)}
    for row in rows:
        kept[str(row['configuration']), str(row['seed'])] = row
    results.write_rows(path, FIELDS, list(kept.values()))


@exits_with_message(ValueError, OSError, FloatingPointError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.ablations', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', nargs='+', required=True, help='rendered dataset folders')
    parser.add_argument('--out', type=Path, default=Path('runs/ablations'))
    parser.add_argument('--results', type=Path, default=results.FOLDER / 'ablations.csv')
    parser.add_argument('--steps', type=positive_int, default=4000, help='steps of every training')
    parser.add_argument('--limit', type=positive_int, default=4000, help='number of held-out samples')
    parser.add_argument('--only', nargs='+', choices=names(), default=names(), help='train these configurations only')
    parser.add_argument('--device', default='auto')
    add_threads_option(parser)
    add_workers_option(parser)
    parser.add_argument('--set', nargs='*', default=[], metavar='KEY=VALUE', help='settings of all, such as network.size=64')
    args = parser.parse_args(arguments)
    use_threads(args.threads)
    keep_freed_memory()
    changes = [*args.set, f'steps={args.steps}']
    base = read_config(BASE, changes)
    crops, truth = held_out(SyntheticCrops(args.data, 'test', limit=args.limit), base)
    print('configuration seed ' + ' '.join(COLUMNS))
    runs = [(name, seed) for name in args.only for seed in ((0, 1) if name == BASE else (0,))]
    for name, seed in runs:
        config = read_config(name, [*changes, f'seed={seed}'])
        content = train(config, args.data, args.out, args.device, args.workers)
        row = figures(checkpoint.network_of(content), crops, truth)
        print(f'{name} {seed} ' + ' '.join(f'{row[c]:.3f}' for c in COLUMNS), flush=True)
        settings = f' --set {" ".join(args.set)}' if args.set else ''
        row |= {
            'configuration': name,
            'seed': seed,
            'n': len(truth),
            'iterations': content['step'],
            'samples': content['samples'],
            'size': config.size,
            'command': f'python -m training.studies.ablations --data DATA --steps {args.steps}{settings}',
            'commit': content['commit'],
            'data_hash': content['data_hash'],
        }
        write([row], args.results)


if __name__ == '__main__':
    sys.exit(main())
