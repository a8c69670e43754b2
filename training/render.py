"""Renders labelled heads: python -m training.render --preset wide --count 20000 --output datasets/wide20k."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from training.assets import ensure_assets
from training.synthetic import dataset, presets, produce


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog='python -m training.render', description=__doc__)
    parser.add_argument('--preset', choices=sorted(presets.PRESETS), default='wide')
    parser.add_argument('--output', type=Path, help="the dataset's folder; a run that was stopped goes on where it was")
    parser.add_argument('--count', type=int, help="samples; default the preset's")
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--shard-size', type=int, default=500, help='samples per shard (default 500)')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes (default: one per core)')
    parser.add_argument(
        '--device', choices=('auto', 'cpu', 'gpu'), default='auto', help='cpu: llvmpipe; gpu: refuse anything else'
    )
    parser.add_argument(
        '--shard', default='0/1', metavar='I/N', help='only shards I, I+N, ...: one job of N under a cluster scheduler'
    )
    parser.add_argument('--crop-size', type=int, help='side of the crops in pixels')
    parser.add_argument('--colour', action='store_true', help='BGR instead of gray')
    parser.add_argument('--identities', type=int, help='people in the population')
    parser.add_argument('--per-head', type=int, help='crops drawn from one dressed head; more are faster and more alike')
    parser.add_argument('--yaw', type=float, help='largest yaw in degrees; likewise --pitch, --roll')
    parser.add_argument('--pitch', type=float)
    parser.add_argument('--roll', type=float)
    parser.add_argument(
        '--backgrounds', type=Path, help='folder of your own pictures, for presets with the background in the picture'
    )
    parser.add_argument('--preview', type=Path, metavar='JPG', help='write a contact sheet instead of a dataset')
    parser.add_argument('--sheet', default='crops', help='which contact sheet: see `--sheet help`')
    options = parser.parse_args(arguments)
    preset = replace(
        presets.PRESETS[options.preset],
        **{
            name: value
            for name, value in {
                'count': options.count,
                'crop_size': options.crop_size,
                'channels': 3 if options.colour else None,
                'identities': options.identities,
                'yaw_deg': options.yaw,
                'pitch_deg': options.pitch,
                'roll_deg': options.roll,
                'per_head': options.per_head,
            }.items()
            if value is not None
        },
    )
    try:
        index, jobs = (int(v) for v in options.shard.split('/'))
        if not 0 <= index < jobs:
            raise ValueError(f'--shard {options.shard}: I counts from 0 to N-1')
        assets = ensure_assets()
        if options.preview is not None:
            from training.synthetic import preview

            preview.write_sheet(options.sheet, assets, preset, options.seed, options.preview)
            return 0
        if options.output is None:
            parser.error('--output is needed')
        command = 'python -m training.render ' + shlex.join(arguments if arguments is not None else sys.argv[1:])
        manifest = produce.manifest_of(preset, preset.count, options.seed, options.shard_size, assets, command)
        produce.produce(preset, options.output, manifest, options.workers, options.device, (index, jobs), options.backgrounds)
        print(f'{options.output}: {len(dataset.SyntheticDataset(options.output, None))} samples')
    except (RuntimeError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
