"""Generates the tables in training/RESULTS.md and the models' cards from training/results: `python -m training.evaluation.pages`.

A table is the text between `<!-- NAME: python -m training.evaluation.pages -->` and `<!-- end of NAME -->`; NAME is a key of TABLES.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..paper.published import ANGLES
from ..paper.published import TABLES as PAPER
from . import sources_table
from .ablations_table import ablations
from .group_tables import accurate_people, groups, hands, people, people_differences, portrait_differences, portrait_groups, robustness
from .markdown import Row, number, read, table
from .paper_answers import answers
from .paper_tables import paper_table, scales
from .time_table import over_time

_ROOT = Path(__file__).parents[2]
PAGES = (
    _ROOT / 'training' / 'RESULTS.md',
    _ROOT / 'c2f_head_pose' / 'models' / 'c2f.md',
    _ROOT / 'c2f_head_pose' / 'models' / 'c2f_edge.md',
    _ROOT / 'c2f_head_pose' / 'models' / 'c2f_depth.md',
)
SETS = {
    ('aflw2000', 'published'): 'AFLW2000, published crop',
    ('aflw2000', 'unstretched'): 'AFLW2000, the same pixels, not stretched',
    ('aflw2000', 'landmarks'): "AFLW2000, landmarks' crop",
    ('aflw2000', 'detector'): 'AFLW2000, detector end to end',
    ('pointing04', 'box'): "Pointing'04, box",
    ('biwi', 'box'): 'Biwi, the one frame at hand',
    ('synthetic:wide', 'landmarks'): 'held-out identities, clean, all poses',
    ('disturbed:wide', 'landmarks'): 'held-out identities, disturbed, all poses',
    ('synthetic:depth_structured_light', 'landmarks'): 'structured light, other people, all poses',
}
"""Titles of each set and crop."""
PORTRAIT_GROUPS = ('portrait', 'stated', 'drawing')
"""Groupings of people of the portraits: by gray, by what they state of themselves, by who was trained on."""


def _shipped(model: str) -> list[Row]:
    """The rows of a model as it is shipped, without those on one crop."""
    family = model.removesuffix('_int8')
    return [row for row in read(f'{family}.csv') if re.fullmatch(rf'{model} [\d.]+', row['model'])]


def _both(row: Row, names: tuple[str, str], digits: int, factor: float = 1.0) -> str:
    first, second = (number(row, name, digits, factor) for name in names)
    return f'{first}, {second}'


def _called(row: Row) -> str:
    """The title of a row's set, with the part of the set if it is one."""
    within = re.search(r'--within (\d+) (\d+)', row['command'])
    found = f', {number(row, "detected", 1, 100)} % found' if row['detected'] else ''
    return f'the same within yaw {within[1]}, pitch {within[2]}' if within else SETS[row['set'], row['crop']] + found


def _every_set(model: str) -> str:
    header = ['', 'n', 'MAE', 'yaw', 'pitch', 'roll', 'geodesic, mean, median', 'coarse, %', 'within 1, 2 std, %']
    return table(
        header,
        (
            [
                _called(row),
                row['n'],
                *(number(row, name) for name in ('mae', 'yaw', 'pitch', 'roll')),
                _both(row, ('geodesic', 'p50'), 1),
                number(row, 'coarse', 0, 100),
                _both(row, ('within_1', 'within_2'), 0, 100),
            ]
            for row in _shipped(model)
        ),
    )


def real_faces() -> str:
    """Makes the table of the shipped edge model on every set."""
    return _every_set('c2f_edge')


def accurate() -> str:
    """Makes the table of the shipped accurate model on every set."""
    return _every_set('c2f')


def depth() -> str:
    """Makes the table of the depth model on every set."""
    header = ['', 'n', 'yaw', 'pitch', 'roll', 'geodesic, mean, median', 'within 1, 2 std, %']
    return table(
        header,
        (
            [
                _called(row),
                row['n'],
                *(number(row, name, 1) for name in ('yaw', 'pitch', 'roll')),
                _both(row, ('geodesic', 'p50'), 1),
                _both(row, ('within_1', 'within_2'), 0, 100),
            ]
            for row in read('c2f_depth.csv')
        ),
    )


def edge_and_int8() -> str:
    """Makes the table of both precisions of the edge model on real faces."""
    rows = {name: {(row['set'], row['crop']): row for row in _shipped(name)} for name in ('c2f_edge', 'c2f_edge_int8')}
    real = [key for key in rows['c2f_edge'] if ':' not in key[0]]
    lines = [[SETS[key], *(number(found[key], 'mae') for found in rows.values())] for key in real]
    held = [_both(found['aflw2000', 'detector'], ('within_1', 'within_2'), 0, 100) for found in rows.values()]
    return table(['mean absolute error, degrees', *rows], [*lines, ['1 and 2 stated deviations hold, detector end to end, %', *held]])


def edge_since() -> str:
    """Says what the shipped edge model gained and lost since 0.6.0, which read each crop's mirror image too."""
    before = {(row['set'], row['crop']): row for row in read('c2f_edge.csv') if row['model'] == 'c2f_edge 0.6.0, with its mirror image'}
    now = {(row['set'], row['crop']): row for row in _shipped('c2f_edge')}
    detected, published, renders = ('aflw2000', 'detector'), ('aflw2000', 'published'), ('synthetic:wide', 'landmarks')

    def change(key: tuple[str, str], name: str, digits: int = 2) -> str:
        return f'{number(before[key], name, digits)} to {number(now[key], name, digits)}'

    return (
        f'- Mean of the angles, degrees, 0.6.0 with its mirror image to this version: {SETS[detected]} {change(detected, "mae")}, '
        f'{SETS[published]} {change(published, "mae")}.\n'
        f'- {SETS[renders].capitalize()}: as a rotation {change(renders, "geodesic")} degrees, its 99th percentile '
        f'{change(renders, "p99", 1)}, mean of the angles {change(renders, "mae")}. '
        'Disturbed renders of the two versions had different disturbances and do not compare.'
    )


def pose_limits(network: str) -> str:
    """Says how much larger errors are in profile and on rolled heads: of the angles, and of the rotation.

    Args:
        network: its name in real_faces.csv.
    """
    found = {row['measure']: row for row in read('real_faces.csv') if (row['set'], row['network']) == ('aflw2000', network)}

    def change(name: str, usual: str, rare: str) -> str:
        less, more = (float(found[f'{name} {where}']['value']) for where in (usual, rare))
        return f'{more:.1f} degrees instead of {less:.1f}, {more / less:.1f} times as much'

    return '\n'.join(
        f'- {what} ({found[f"MAE {rare}"]["n"]} faces): mean error of yaw, pitch and roll {change("MAE", usual, rare)}; '
        f'error as a rotation {change("geodesic", usual, rare)}.'
        for what, usual, rare in (
            ('Beyond 60 degrees of yaw', 'within yaw 60', 'beyond yaw 60'),
            ('Rolled by more than 45 degrees', 'within roll 45', 'beyond roll 45'),
            ('The same within 60 degrees of yaw', 'within roll 45 and yaw 60', 'beyond roll 45 within yaw 60'),
        )
    )


def crop_width() -> str:
    """Slopes and errors by the width of the crop; pitch at the network's own width, the middle one."""
    rows, sets = read('crop_width.csv'), {'aflw2000': 'AFLW2000', 'pointing04': "Pointing'04"}
    lines = []
    for name, network in dict.fromkeys((row['set'], row['network']) for row in rows):
        found = [row for row in rows if (row['set'], row['network']) == (name, network)]
        lines.append(
            [
                f'{sets[name]}, {network}',
                *(f'{number(row, "yaw_slope")}, {number(row, "yaw_error", 1)}' for row in found),
                f'{number(found[2], "pitch_slope")}, {number(found[2], "pitch_error", 1)}',
            ]
        )
    return table(['', 'x0.75', 'x0.85', 'x1', 'x1.15', 'x1.3', 'pitch, x1'], lines)


def sources() -> str:
    """Makes the table of what each source of training data is worth."""
    rows = read('sources.csv')
    header, *lines = sources_table.lines(rows)
    return '\n'.join([table(header, lines), '', *sources_table.differences(rows)])


def learning_curve() -> str:
    """The paper's network over the samples it has seen."""
    runs = {'AdamW': 'c2f_paper_curve.csv', "the paper's SGD": 'c2f_paper_curve_sgd.csv'}
    return table(
        [
            'optimiser',
            'samples',
            'n',
            'coarse, %',
            'farther than 5 degrees from a border, %',
            *(f'{angle} (std)' for angle in ANGLES),
            'geodesic',
        ],
        (
            [
                optimiser,
                f'{int(row["samples"]):,}',
                row['n'],
                number(row, 'coarse', 1, 100),
                number(row, 'coarse_beyond_5', 1, 100),
                *(f'{number(row, angle)} ({number(row, f"{angle}_std")})' for angle in ANGLES),
                number(row, 'geodesic'),
            ]
            for optimiser, name in runs.items()
            for row in read(name)
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    'real faces': real_faces, 'accurate': accurate, 'depth': depth, 'edge and int8': edge_and_int8, 'groups': groups, 'people': people,
    'robustness': robustness, 'over time': over_time, 'crop width': crop_width,
    'ablations': partial(ablations, 'ablations.csv'), 'small ablations': partial(ablations, 'ablations_small.csv'),
    'edge since': edge_since,
    'edge limits': partial(pose_limits, 'c2f_edge'), 'accurate limits': partial(pose_limits, 'c2f'),
    **{f'table {number}': partial(paper_table, number) for number in PAPER},
    **{f'{kind} groups': partial(portrait_groups, f'{kind}_groups.csv') for kind in PORTRAIT_GROUPS},
    **{f'{kind} differences': partial(portrait_differences, f'{kind}_groups.csv') for kind in PORTRAIT_GROUPS},
    'people differences': people_differences, 'hands': hands,
    'sources': sources, 'accurate people': accurate_people,
    'answers': answers, 'learning curve': learning_curve, 'scales of the tables': scales,
}  # fmt: skip


def renewed(text: str) -> str:
    """Replaces each table of a page by its present content.

    Raises:
        ValueError: for a table without an end mark, or with an unknown name.
    """
    for name in re.findall(r'<!-- ([\w ]+): python -m training.evaluation.pages -->', text):
        begin, end = f'<!-- {name}: python -m training.evaluation.pages -->', f'<!-- end of {name} -->'
        if name not in TABLES or end not in text:
            raise ValueError(f'table {name!r} has no {end}' if name in TABLES else f'no table {name!r}; there are {", ".join(TABLES)}')
        before, rest = text.split(begin)
        text = f'{before}{begin}\n{TABLES[name]()}\n{end}{rest.split(end, 1)[1]}'
    return text


def main() -> int:
    """Runs the command; returns its exit status."""
    argparse.ArgumentParser(
        prog='python -m training.evaluation.pages', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    for page in PAGES:
        before = page.read_text()
        after = renewed(before)
        page.write_text(after)
        print(f'{page.relative_to(_ROOT)}: {"updated" if after != before else "unchanged"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
