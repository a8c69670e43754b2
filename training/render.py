"""Renders labelled heads: python -m training.render --preset wide --count 20000 --output datasets/wide."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from training.command import exits_with_message, half_turn, natural, positive_int
from training.synthetic import layout, presets, produce
from training.synthetic.assets.fetch import ensure_assets
from training.synthetic.scene import backgrounds


def job(text: str) -> tuple[int, int]:
    """I and N of 'I/N', an argument's type."""
    index, sign, jobs = text.partition('/')
    if not (sign and index.isdecimal() and jobs.isdecimal() and int(index) < int(jobs)):
        raise argparse.ArgumentTypeError(f'{text} is not I/N with I from 0 to N-1')
    return int(index), int(jobs)


@exits_with_message(RuntimeError, ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog='python -m training.render', description=__doc__)
    parser.add_argument('--preset', choices=sorted(presets.PRESETS), default='wide')
    parser.add_argument('--output', type=Path, help="the dataset's folder; a run that was stopped goes on where it was")
    parser.add_argument('--count', type=positive_int, help="samples; default the preset's")
    parser.add_argument('--seed', type=natural, default=1)
    parser.add_argument('--shard-size', type=positive_int, default=500, help='samples per shard (default 500)')
    parser.add_argument('--workers', type=positive_int, default=os.cpu_count() or 1, help='processes (default: one per core)')
    parser.add_argument('--device', choices=('auto', 'cpu', 'gpu'), default='auto', help='cpu: llvmpipe; gpu: refuse anything else')
    parser.add_argument(
        '--shard', type=job, default=(0, 1), metavar='I/N', help='only shards I, I+N, ...: one job of N under a cluster scheduler'
    )
    parser.add_argument('--crop-size', type=positive_int, help='side of the crops in pixels')
    parser.add_argument('--colour', action='store_true', help='BGR instead of gray')
    parser.add_argument('--identities', type=positive_int, help='people in the population')
    parser.add_argument('--per-head', type=positive_int, help='crops drawn from one dressed head; more are faster and more alike')
    parser.add_argument('--yaw', type=half_turn, help='largest yaw in degrees; likewise --pitch, --roll')
    parser.add_argument('--pitch', type=half_turn)
    parser.add_argument('--roll', type=half_turn)
    parser.add_argument('--backgrounds', type=Path, help='folder of your own pictures, for presets with the background in the picture')
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
    if options.sheet == 'help':
        from training.synthetic import preview

        print(f'--sheet with --preview JPG: {", ".join(preview.SHEETS)}')
        return
    if options.output is None and options.preview is None:
        parser.error('--output is needed')
    if options.backgrounds is not None:
        backgrounds.list_photographs(options.backgrounds)  # refuses a folder without any
    assets = ensure_assets()
    if options.preview is not None:
        from training.synthetic import preview

        preview.write_sheet(options.sheet, assets, preset, options.seed, options.preview)
        return
    command = 'python -m training.render ' + shlex.join(arguments if arguments is not None else sys.argv[1:])
    manifest = produce.manifest_of(preset, preset.count, options.seed, options.shard_size, assets, command)
    produce.produce(preset, options.output, manifest, options.workers, options.device, options.shard, options.backgrounds)
    shards = layout.finished_shards(options.output, manifest)
    print(f'{options.output}: {sum(map(manifest.shard_count, shards))} samples in {len(shards)} of {manifest.shards} shards')


if __name__ == '__main__':
    sys.exit(main())
