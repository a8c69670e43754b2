"""Compares a network's self-consistency by group of people: `python -m training.studies.portrait_groups MODEL ... --portraits FOLDER`.

Most portraits come without age, sex or ethnicity, and none is guessed from a face. What can be measured is how dark a face is in its
picture, the median gray between the outer corners of the eyes and those of the mouth: skin, light and exposure together. The held-out
people are taken by thirds of it. Where people say themselves what they are, --stated names the table of it, and all who are in it are
measured, by models that were trained on none of them. Figures are means over people, with their standard errors, as the pictures of a
person are not independent.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..command import exits_with_message
from ..data.crops import SyntheticCrops
from ..data.portrait_turns import person_of
from ..evaluation import results
from ..evaluation.model_file import open_model
from ..evaluation.self_consistency import BINS_DEG, HELD_OUT, NO_PORTRAITS, SelfConsistency, of_people
from ..loop.checkpoint import commit
from ..synthetic.dataset import read_people
from ..synthetic.layout import LIGHTS

GROUPS = ('darkest third', 'middle third', 'brightest third')
FEWEST = 6
FRONTAL_DEG = 25.0
"""Largest angle between the way the face looks and the camera, in a picture whose gray is measured."""
CORNERS = (36, 45, 54, 48)
"""Outer corners of the eyes, then of the mouth, among the 68 landmarks."""
FIELDS = ('model', 'group', 'gray_from', 'gray_to', 'people', 'pictures', 'turns', 'turns_se', 'command', 'commit', 'data_hash')


def face_gray(image: np.ndarray, landmarks: np.ndarray) -> float:
    """Median gray of a picture between the outer corners of the eyes and of the mouth.

    Args:
        image: (S, S) uint8.
        landmarks: (68, 2) continuous pixels.
    """
    inside = np.zeros(image.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.rint(landmarks[list(CORNERS)] - 0.5).astype(np.int32), 1)
    return float(np.median(image[inside > 0]))


@dataclass(frozen=True)
class Group:
    """Some people.

    Attributes:
        name: what they have in common.
        people: their names.
        gray: darkest and brightest face; None if not measured.
    """

    name: str
    people: list[str]
    gray: tuple[float, float] | None = None


def names_of(folder: Path) -> np.ndarray:
    """The person's name of each identity of a dataset of portraits.

    Raises:
        ValueError: for a dataset of renders.
    """
    people = read_people(folder)
    if any(len(columns) != 1 for columns in people.values()):
        raise ValueError(NO_PORTRAITS.format(folder))
    return np.array([person_of(*people[identity]) for identity in range(len(people))])


def grays(folder: Path, names: np.ndarray) -> dict[str, float]:
    """Gray of each held-out person's face: the median over the pictures that are nearly frontal and not relit, else over all."""
    found: dict[str, list[float]] = {}
    for split in HELD_OUT:
        crops = SyntheticCrops([folder], split)
        batch = crops.gather(np.arange(len(crops)))
        gray = np.array([face_gray(i, p) for i, p in zip(batch.image.numpy(), batch.landmarks.numpy(), strict=True)])
        forward = crops.table['R_crop_head'][:, :, 0]  # the way the face looks, camera axes
        frontal = -forward[:, 2] > np.cos(np.radians(FRONTAL_DEG))
        usable = frontal & (crops.table['light'] == LIGHTS.index('soft'))
        people = names[crops.table['identity']]
        for person in np.unique(people):
            of = people == person
            found[str(person)] = gray[of & usable] if (of & usable).any() else gray[of]
    return {person: float(np.median(values)) for person, values in found.items()}


def by_gray(gray: dict[str, float]) -> list[Group]:
    """All people, and each third of them by gray.

    Raises:
        ValueError: for fewer than `FEWEST` people.
    """
    people = sorted(gray, key=lambda person: gray[person])
    if len(people) < FEWEST:
        raise ValueError(f'{len(people)} held-out people are too few to compare thirds of them: {FEWEST} are needed')
    parts = [people, *([str(person) for person in part] for part in np.array_split(people, len(GROUPS)))]
    return [Group(name, part, (gray[part[0]], gray[part[-1]])) for name, part in zip(('all', *GROUPS), parts, strict=True)]


def by_statement(path: Path, columns: list[str], there: set[str]) -> list[Group]:
    """All people of a table who are in a dataset, and those of them with the same value in a column.

    Args:
        path: a .csv whose first column has people's names.
        columns: names of further columns.
        there: names of the people in the dataset.

    Raises:
        ValueError: if the table lacks a column, or everybody.
    """
    with open(path, newline='') as file:
        reader = csv.DictReader(file)
        rows = {next(iter(row.values())): row for row in reader}
    if missing := sorted(set(columns) - set(reader.fieldnames or ())):
        raise ValueError(f'{path} has no column {missing[0]!r}; it has {", ".join(reader.fieldnames or ())}')
    if not (people := sorted(there & set(rows))):
        raise ValueError(f'{path} has nobody of the dataset, whose people are {", ".join(sorted(there)[:3])} and so on')
    groups = [Group('all', people)]
    for column in columns:
        for value in sorted({rows[person][column] for person in people}):
            groups.append(Group(value, [person for person in people if rows[person][column] == value]))
    return groups


def by_group(found: SelfConsistency, groups: list[Group]) -> list[dict[str, object]]:
    """Makes a row for each group: means over its people, each range of turns counting alike.

    Args:
        found: the model's self-consistency; `person` has names.
        groups: the groups; of one person there is no standard error.
    """
    mean = {str(person): _mean_over_turns(found, person) for person in np.unique(found.person)}
    rows = []
    for group in groups:
        means = np.array([mean[person] for person in group.people])
        gray_from, gray_to = group.gray or ('', '')
        rows.append(
            {
                'group': group.name,
                'gray_from': gray_from,
                'gray_to': gray_to,
                'people': len(means),
                'pictures': int(np.isin(found.person, group.people).sum()),
                'turns': float(means.mean()),
                'turns_se': float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else '',
            }
        )
    return rows


def _mean_over_turns(found: SelfConsistency, person: str) -> float:
    """A person's mean distance over the ranges of turns that the pictures have."""
    of = found.person == person
    ranges = np.digitize(found.angle_deg[of], BINS_DEG[1:-1])
    return float(np.mean([found.apart_deg[of][ranges == number].mean() for number in np.unique(ranges)]))


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.portrait_groups', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('models', nargs='+', metavar='MODEL', help='checkpoint, .onnx file or shipped name')
    parser.add_argument(
        '--portraits', type=Path, required=True, help='turned portraits that hold out the people whom the models have not seen'
    )
    parser.add_argument('--stated', type=Path, help='table of what people state of themselves; the first column has their names')
    parser.add_argument('--by', nargs='+', default=[], metavar='COLUMN', help='columns of --stated whose values are groups')
    parser.add_argument('--results', type=Path, help='default portrait_groups.csv, with --stated stated_groups.csv, in training/results')
    args = parser.parse_args(arguments)
    if bool(args.stated) != bool(args.by):
        parser.error('--stated and --by: neither means anything alone')
    command = results.command_of('training.studies.portrait_groups', sys.argv[1:] if arguments is None else arguments)
    names = names_of(args.portraits)
    if args.stated:
        splits: tuple[str, ...] = ('train', *HELD_OUT)
        groups = by_statement(args.stated, args.by, set(names.tolist()))
    else:
        splits, groups = HELD_OUT, by_gray(grays(args.portraits, names))
    rows = []
    for source in args.models:
        model = open_model(source)
        found = of_people(model, args.portraits, splits)
        for row in by_group(replace(found, person=names[found.person]), groups):
            rows.append({'model': model.name, **row, 'command': command, 'commit': commit(), 'data_hash': model.data_hash})
            gray = f'gray {row["gray_from"]:5.1f} to {row["gray_to"]:5.1f}, ' if row['gray_from'] else ''
            apart = f'{row["turns"]:.2f}' + (f' ± {row["turns_se"]:.2f}' if row['turns_se'] else '')
            print(f'{model.name} {row["group"]:16} {gray}{row["people"]:3} people: {apart} degrees', flush=True)
    name = 'stated_groups.csv' if args.stated else 'portrait_groups.csv'
    results.write_rows(args.results or results.FOLDER / name, FIELDS, rows)


if __name__ == '__main__':
    sys.exit(main())
