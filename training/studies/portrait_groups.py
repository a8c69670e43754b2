"""Compares a network's self-consistency by group of people: `python -m training.studies.portrait_groups MODEL ... --portraits FOLDER`.

The portraits come without age, sex or ethnicity, and none is guessed from a face. What can be measured is how dark a face is in its
picture, the median gray between the outer corners of the eyes and those of the mouth: skin, light and exposure together. The held-out
people are taken by thirds of it. Figures are means over people, with their standard errors, as a person's pictures are not independent.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from ..command import exits_with_message
from ..data.crops import SyntheticCrops
from ..evaluation import results
from ..evaluation.model_file import open_model
from ..evaluation.self_consistency import BINS_DEG, HELD_OUT, SelfConsistency, of_held_out
from ..loop.checkpoint import commit
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


def grays(folder: Path) -> dict[int, float]:
    """Gray of each held-out person's face: the median over the pictures that are nearly frontal and not relit, else over all."""
    found: dict[int, list[float]] = {}
    for split in HELD_OUT:
        crops = SyntheticCrops([folder], split)
        batch = crops.gather(np.arange(len(crops)))
        gray = np.array([face_gray(i, p) for i, p in zip(batch.image.numpy(), batch.landmarks.numpy(), strict=True)])
        forward = crops.table['R_crop_head'][:, :, 0]  # the way the face looks, camera axes
        frontal = -forward[:, 2] > np.cos(np.radians(FRONTAL_DEG))
        usable = frontal & (crops.table['light'] == LIGHTS.index('soft'))
        for person in np.unique(crops.table['identity']):
            of = crops.table['identity'] == person
            found[int(person)] = gray[of & usable] if (of & usable).any() else gray[of]
    return {person: float(np.median(values)) for person, values in found.items()}


def by_group(found: SelfConsistency, gray: dict[int, float]) -> list[dict[str, object]]:
    """Makes a row for all people and for each third of them by gray: means over people, each range of turns counting alike.

    Raises:
        ValueError: for fewer than `FEWEST` people.
    """
    people = np.array(sorted(gray, key=lambda person: gray[person]))
    if len(people) < FEWEST:
        raise ValueError(f'{len(people)} held-out people are too few to compare thirds of them: {FEWEST} are needed')
    means = np.array([_mean_over_turns(found, person) for person in people])
    rows = []
    for name, of in (('all', np.arange(len(people))), *zip(GROUPS, np.array_split(np.arange(len(people)), len(GROUPS)), strict=True)):
        rows.append(
            {
                'group': name,
                'gray_from': gray[people[of[0]]],
                'gray_to': gray[people[of[-1]]],
                'people': len(of),
                'pictures': int(np.isin(found.person, people[of]).sum()),
                'turns': float(means[of].mean()),
                'turns_se': float(means[of].std(ddof=1) / len(of) ** 0.5),
            }
        )
    return rows


def _mean_over_turns(found: SelfConsistency, person: int) -> float:
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
    parser.add_argument('--results', type=Path, default=results.FOLDER / 'portrait_groups.csv')
    args = parser.parse_args(arguments)
    command = results.command_of('training.studies.portrait_groups', sys.argv[1:] if arguments is None else arguments)
    gray, rows = grays(args.portraits), []
    for source in args.models:
        model = open_model(source)
        for row in by_group(of_held_out(model, args.portraits), gray):
            rows.append({'model': model.name, **row, 'command': command, 'commit': commit(), 'data_hash': model.data_hash})
            print(
                f'{model.name} {row["group"]:16} gray {row["gray_from"]:5.1f} to {row["gray_to"]:5.1f}, {row["people"]:3} people: '
                f'{row["turns"]:.2f} ± {row["turns_se"]:.2f} degrees',
                flush=True,
            )
    results.write_rows(args.results, FIELDS, rows)


if __name__ == '__main__':
    sys.exit(main())
