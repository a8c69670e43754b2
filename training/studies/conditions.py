"""Measures errors by group of people and by condition: `python -m training.studies.conditions MODEL --data FOLDER [--robustness FOLDER]`.

On held-out rendered identities (the splits 'val' and 'test') in poses in use: mean error and mean pitch offset by sex, age, ethnicity,
clothing, light and occluder, each with its standard error, to distinguish bias from noise. With the renderer's robustness presets
(illumination_angle, ..., occlusion) also the figures of the paper's Tables 6 and 7. Standard errors are clustered by person: four pictures
show one dressed head, and those of a robustness set the same head in the same pose, once for each light or mask.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics

from ..command import exits_with_message
from ..evaluation.clusters import clustered_se
from ..evaluation.measure import rendered_answers
from ..evaluation.model_file import Model, open_model
from ..evaluation.results import write_rows
from ..loop import checkpoint
from ..loop.validate import in_use
from ..paper.published import ROBUSTNESS_ROWS, TABLES
from ..synthetic.dataset import refuse_people_seen
from ..synthetic.layout import COVERINGS, EYEWEAR, LIGHTS, OCCLUDERS
from ..synthetic.people.identities import RACES

AGES = (16, 30, 45, 60, 81)
FEWEST = 20
"""Smallest group to report."""
FIELDS = (
    *('model', 'set', 'by', 'group', 'n', 'people', 'poses'),
    *(f'{name}{end}' for name in ('geodesic', 'pitch_offset', 'pitch', 'yaw', 'roll', 'coarse') for end in ('', '_se')),
    *('pitch_std', 'yaw_std', 'roll_std', 'command', 'commit', 'data_hash'),
)


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's estimates on rendered crops.

    Attributes:
        truth: (N, 3, 3).
        R: (N, 3, 3).
        logits: (N, 4).
        table: columns of the samples, each (N, ...).
    """

    truth: np.ndarray
    R: np.ndarray
    logits: np.ndarray
    table: dict[str, np.ndarray]

    def of(self, rows: np.ndarray) -> Answers:
        """Returns the estimates of some rows."""
        return Answers(self.truth[rows], self.R[rows], self.logits[rows], {k: v[rows] for k, v in self.table.items()})


def answers(model: Model, folder: Path, split: str | None, disturbed: bool) -> Answers:
    """Runs a model on a split of a rendered set."""
    data, _, truth, output = rendered_answers(model, folder, disturbed, split)
    return Answers(truth, output.rotation, output.category_logits, data.table)


def people(folder: Path) -> dict[int, tuple[str, str, str]]:
    """Returns sex, age band and the ethnicity of the largest weight by identity id.

    Raises:
        ValueError: for a dataset of portraits, which has no such figures.
    """
    out = {}
    with open(folder / 'identities.csv', newline='') as file:
        for row in csv.DictReader(file):
            if 'age_years' not in row:
                raise ValueError(f'{folder} has no age and ethnicity of its people, as renders have: give rendered heads')
            band = int(np.clip(np.searchsorted(AGES, float(row['age_years']), 'right') - 1, 0, len(AGES) - 2))
            race = RACES[int(np.argmax([float(row[name]) for name in RACES]))]
            out[int(row['id'])] = (row['sex'], f'{AGES[band]} to {AGES[band + 1] - 1} years', race)
    return out


def groups(found: Answers, who: dict[int, tuple[str, str, str]]) -> dict[str, np.ndarray]:
    """Returns the group of every sample for each grouping."""
    persons = [who[int(i)] for i in found.table['identity']]
    out = {name: np.array([p[i] for p in persons]) for i, name in enumerate(('sex', 'age', 'ethnicity'))}
    for name, values in (('eyewear', EYEWEAR), ('covering', COVERINGS), ('light', LIGHTS), ('occluder', OCCLUDERS)):
        out[name] = np.array(values)[found.table[name]]
    return out


def by_group(found: Answers, who: dict[int, tuple[str, str, str]]) -> list[dict[str, object]]:
    """Makes a row for all samples in use and for every group: people, means in degrees and their standard errors, clustered by person."""
    used = found.of(in_use(found.truth))
    person = used.table['identity']
    error = geometry.geodesic_deg(used.truth, used.R)
    pitch = metrics.wrapped_deg(geometry.ypr_deg_from_rotation(used.R) - geometry.ypr_deg_from_rotation(used.truth))[:, 1]
    rows = []
    for by, group in ({'all': np.full(len(error), 'all')} | groups(used, who)).items():
        for name in sorted(set(group)):
            of = group == name
            if of.sum() >= FEWEST:
                rows.append(
                    {
                        'by': by,
                        'group': str(name),
                        'n': int(of.sum()),
                        'people': len(np.unique(person[of])),
                        'geodesic': float(error[of].mean()),
                        'geodesic_se': clustered_se(error[of], person[of]),
                        'pitch_offset': float(pitch[of].mean()),
                        'pitch_offset_se': clustered_se(pitch[of], person[of]),
                    }
                )
    order = ['all', 'sex', 'age', 'ethnicity', 'eyewear', 'covering', 'light', 'occluder']
    return sorted(rows, key=lambda row: order.index(str(row['by'])))


def of_robustness(found: Answers) -> dict[str, object]:
    """Computes the cells of Tables 6 and 7 with their standard errors, clustered by person, and the set's people and poses."""
    errors, person = metrics.rotation_errors(found.truth, found.R), found.table['identity']
    right = 100.0 * (found.logits.argmax(1) == geometry.category_index(found.truth))
    of_each = {'geodesic': errors.geodesic_deg, 'coarse': right} | dict(zip(metrics.AXES, errors.absolute_deg.T, strict=True))
    return {
        'n': len(found.truth),
        'people': len(np.unique(person)),
        'poses': poses_in(found.table),
        **{name: float(values.mean()) for name, values in of_each.items()},
        **{f'{name}_se': clustered_se(values, person) for name, values in of_each.items()},
        **{f'{axis}_std': float(of_each[axis].std()) for axis in metrics.AXES},
    }


def poses_in(table: dict[str, np.ndarray]) -> int:
    """How many heads in different poses the samples show; the steps of a robustness set show each of them once."""
    return len(np.unique(table['R_cam_head'].reshape(-1, 9), axis=0))


def refuse_people_seen_in_training(data: Path, robustness: Path) -> None:
    """Checks that robustness presets show other people than the training data.

    Raises:
        ValueError: if a preset in the folder shows people of the dataset's split 'train'.
    """
    for preset in ROBUSTNESS_ROWS:
        folder = robustness / preset
        if folder.is_dir():
            refuse_people_seen(data, folder)


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.conditions', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', help='checkpoint, .onnx file or shipped name')
    parser.add_argument('--data', type=Path, help='rendered dataset whose held-out identities are grouped')
    presets = ', '.join(ROBUSTNESS_ROWS)
    parser.add_argument('--robustness', type=Path, help=f'folder with rendered presets {presets}, of other people than --data trains on')
    parser.add_argument('--out', type=Path, help='csv to write')
    args = parser.parse_args(arguments)
    if not args.data and not args.robustness:
        parser.error('name --data, --robustness or both')
    if args.data and args.robustness:
        refuse_people_seen_in_training(args.data, args.robustness)
    model = open_model(args.model)
    rows: list[dict[str, object]] = []
    if args.data:
        parts = [answers(model, args.data, split, disturbed=True) for split in ('val', 'test')]
        whole = Answers(
            *(np.concatenate([getattr(p, name) for p in parts]) for name in ('truth', 'R', 'logits')),
            {k: np.concatenate([p.table[k] for p in parts]) for k in parts[0].table},
        )
        for row in by_group(whole, people(args.data)):
            print(
                f'{row["by"]:10s} {row["group"]:15s} {row["people"]:4d} people in {row["n"]:5d}  '
                f'error {row["geodesic"]:5.2f} ± {row["geodesic_se"]:.2f}  '
                f'pitch offset {row["pitch_offset"]:+5.2f} ± {row["pitch_offset_se"]:.2f}'
            )
            rows.append({'set': 'held-out identities', **row})
    for preset, (table, label) in ROBUSTNESS_ROWS.items() if args.robustness else ():
        if not (args.robustness / preset).is_dir():
            print(f'{preset}: not run. Render it: python -m training.render --preset {preset} --seed 2 --output {args.robustness}/{preset}')
            continue
        row = of_robustness(answers(model, args.robustness / preset, None, disturbed=False))
        printed = TABLES[table].cells(label)
        print(
            f'{preset} (n {row["n"]}, {row["poses"]} poses of {row["people"]} people), the paper / this model: '
            + '   '.join(f'{c} {printed[c]:g} / {row[c]:.2f} ± {row[f"{c}_se"]:.2f}' for c in ('pitch', 'yaw', 'roll', 'coarse'))
        )
        rows.append({'set': preset, 'by': f'table {table}', 'group': label, **row})
    if args.out:
        command = f'python -m training.studies.conditions {Path(args.model).name} --data DATA --robustness FOLDER'
        shared = {'model': model.name, 'command': command, 'commit': checkpoint.commit(), 'data_hash': model.data_hash}
        write_rows(args.out, FIELDS, [row | shared for row in rows])


if __name__ == '__main__':
    sys.exit(main())
