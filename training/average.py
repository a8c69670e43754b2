"""Averages the weights of two trainings of one network: `python -m training.average A.pt B.pt --share 0.67 --out MEAN.pt`.

The second training began with the first one's weights, so what lies between both is a network too, and often better than either on
pictures unlike those of the second training (Wortsman et al. 2022, Robust fine-tuning of zero-shot models).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .command import exits_with_message, share
from .loop import checkpoint


def average(first: Path, second: Path, of_second: float) -> dict[str, Any]:
    """The content of the averaged checkpoint: its data are both's, its settings and number of samples the second one's.

    The deviations that are averaged are those that training gave: the mean of two networks is to be calibrated itself.

    Args:
        first: checkpoint.
        second: checkpoint of the same network.
        of_second: weight of the second's weights, 0 to 1.

    Raises:
        ValueError: for two networks, or crops of two margins.
    """
    a, b = checkpoint.load(first), checkpoint.load(second)
    if a['config']['network'] != b['config']['network']:
        raise ValueError(f'{first} and {second} are two networks: {a["config"]["network"]} and {b["config"]["network"]}')
    checkpoint.check_margins((a, b))
    of_a, of_b = checkpoint.own_weights(a), checkpoint.own_weights(b)
    weights = {name: value + (1 - of_second) * (of_a[name] - value) if value.is_floating_point() else value for name, value in of_b.items()}
    known = checkpoint.history(b)
    of_first = '; '.join(step for step in checkpoint.history(a).split('; ') if step not in known)
    return {
        **{key: b[key] for key in checkpoint.WEIGHTS if key in b and key != 'calibration'},
        'average': weights,
        'started_from': f'{b.get("started_from", "")}; averaged with {first.name} ({1 - of_second:g}): {of_first}',
        'commit': checkpoint.commit(),
        **checkpoint.data_of((a, b)),
    }


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.average', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('first', type=Path)
    parser.add_argument('second', type=Path)
    parser.add_argument('--share', type=share, default=0.5, help="weight of the second one's weights, 0 to 1 (default 0.5)")
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(arguments)
    content = average(args.first, args.second, args.share)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(args.out, **content)
    print(f'{args.out}: {1 - args.share:g} of {args.first.name}, {args.share:g} of {args.second.name}')


if __name__ == '__main__':
    sys.exit(main())
