"""Joins trained networks into an ensemble: `python -m training.join [--mirrored FIRST.pt] SECOND.pt ... --out ENSEMBLE.pt`.

The file is a checkpoint as training writes it: it can be exported, evaluated, and teach. `training.train --start ENSEMBLE.pt` trains the
member of the configuration's kind on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .command import exits_with_message
from .loop import checkpoint
from .models.ensemble import joined


def join(paths: list[Path], name: str, mirrored: int = 0) -> dict[str, Any]:
    """The content of the ensemble's checkpoint; the members' deviations are those that training gave them, without a calibration.

    Args:
        paths: checkpoints of the members. The settings of the crop are those of the one with the largest crops, or of the first if
            the others learnt from aligned ones (`augment.aligned_margin`), which it aligns for them.
        mirrored: number of the first members that read each crop's mirror image too.
        name: the ensemble's name.

    Raises:
        ValueError: for a single checkpoint, members that read crops of two modalities or of other margins, and where the first one has no
            landmarks to align crops by.
    """
    if len(paths) < 2:
        raise ValueError('an ensemble needs at least two checkpoints')
    contents = [checkpoint.load(path) for path in paths]
    size = max(content['config']['network']['size'] for content in contents)
    aligned = _aligned_margin(contents)
    # its augmentation draws the crops that the ensemble is measured on: where the others read aligned ones, the first one's
    leading = contents[0] if aligned is not None else next(content for content in contents if content['config']['network']['size'] == size)
    if len(modalities := {content['config']['modality'] for content in contents}) > 1:
        raise ValueError(f'the members read {" and ".join(sorted(modalities))}: an ensemble reads one modality')
    checkpoint.check_margins(contents)
    members = [content['config']['network'] for content in contents]
    weights = [checkpoint.own_weights(content) for content in contents]
    for i in range(mirrored):
        members[i] = {'kind': 'symmetric', 'size': members[i]['size'], 'network': members[i]}
        weights[i] = {f'network.{name}': value for name, value in weights[i].items()}
    network = {'kind': 'ensemble', 'size': size, 'members': members, 'aligned_margin': aligned}
    return {
        'average': joined(weights),
        'config': {**leading['config'], 'name': name, 'network': network},
        'step': 0,
        'samples': sum(content['samples'] for content in contents),
        'samples_before': sum(content.get('samples_before', 0) for content in contents),
        'seed': leading['seed'],
        'commit': checkpoint.commit(),
        'started_from': '; with '.join(
            f'{path.name}: {checkpoint.history(content)}' for path, content in zip(paths, contents, strict=True)
        ),
        **checkpoint.data_of(contents),
    }


def _aligned_margin(contents: list[checkpoint.Content]) -> float | None:
    """The margin of the aligned crops that all but the first learnt from; None if they learnt from crops as they are."""
    first, *others = (content['config'].get('augment', {}).get('aligned_margin') for content in contents)
    if first is not None or len(set(others)) > 1:
        paths = ', '.join(str(content.path) for content in contents)
        raise ValueError(f'{paths}: either none learnt from aligned crops (augment.aligned_margin), or all but the first, with one margin')
    if others[0] is not None and not contents[0]['config']['network'].get('landmarks'):
        raise ValueError(f'{contents[0].path} was trained without landmarks (network.landmarks), by which it would align the crops')
    return others[0]


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.join', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoints', type=Path, nargs='*', help='members')
    parser.add_argument('--mirrored', type=Path, action='append', default=[], help="a member that reads each crop's mirror image too")
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(arguments)
    content = join([*args.mirrored, *args.checkpoints], args.out.stem, len(args.mirrored))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(args.out, **content)
    print(f'{args.out}: {len(content["config"]["network"]["members"])} networks, crops of {content["config"]["network"]["size"]} pixels')


if __name__ == '__main__':
    sys.exit(main())
