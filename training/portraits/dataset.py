"""Turns a folder of portraits into a dataset in the renders' format, shard by shard.

Beside the format's own files the folder holds what new labels need:

    turns/shard-*.npz  D, (N, 3, 3) turn of each sample in the camera frame, and R_fit, (P, 3, 3) R_cam_head of each of the shard's
                       portraits as it was taken, by its fit
    own_poses.npz      R_base, (P, 3, 3) R_cam_head of every portrait as it was taken, by the labels: a sample's is D @ R_base[identity]
"""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.files import written_whole
from c2f_head_pose.images import read_picture
from training.data.portrait_turns import person_of, turns_folder
from training.synthetic.dataset import read_people, read_splits
from training.synthetic.layout import COLUMNS, EXPRESSIONS, LIGHTS, PORTRAITS, Manifest, finished_shards, shard_path, write_manifest
from training.synthetic.scene.crops import crop_rotation
from training.synthetic.writer import ShardWriter

from .fetch import Sources
from .head import HeadModel
from .mediapipe import MediaPipe
from .pictures import Found, find_faces
from .portrait import Builder, Drawn, Portrait, Pose
from .turn import Turner
from .variety import Variety, draw_poses

CROP_SIZE, CROP_MARGIN = 192, 2.2
"""As the renders' preset `wide` has them, so that both join."""

FACE_PX = 340
"""Largest height of a portrait's face: as the smallest collection has them. More pixels cost time and no crop shows them."""

_PEOPLE_PER_SHARD = 25
_SPLITS = ('train',) * 18 + ('val', 'test')  # by person, as the renders'


def manifest_of(people: int, variety: Variety, seed: int, command: str, licences: dict[str, str]) -> Manifest:
    """The manifest of a dataset of so many portraits, with the licences of the pictures."""
    return Manifest(
        preset=PORTRAITS,
        seed=seed,
        count=people * variety.pictures,
        shard_size=_PEOPLE_PER_SHARD * variety.pictures,
        crop_size=CROP_SIZE,
        crop_margin=CROP_MARGIN,
        command=command,
        licences=licences | {'ICT-FaceKit': 'MIT', 'MediaPipe networks': 'Apache-2.0'},
        settings={k: v for k, v in asdict(variety).items() if isinstance(v, (int, float))},
    )


def turn_all(sources: Sources, output: Path, variety: Variety, seed: int, workers: int, command: str, limit: int | None = None) -> None:
    """Makes the shards that are missing, labelled by the fits.

    Args:
        sources: materials.
        output: the dataset's folder.
        variety: variety of each portrait's pictures.
        seed: the dataset's seed.
        workers: processes.
        command: the command line, for the manifest.
        limit: only the first so many pictures of the folder.
    """
    found, left_out = find_faces(sources.portraits, limit)
    if left_out:
        print(left_out, flush=True)
    manifest = manifest_of(len(found), variety, seed, command, sources.licences)
    write_manifest(output, manifest)
    write_people(output, [Path(face.name).stem for face in found])
    print_people(output)
    done = finished_shards(output, manifest)
    missing = [shard for shard in range(manifest.shards) if shard not in done]
    workers = max(1, min(workers, len(missing)))
    # processes instead of threads, for llvmpipe and numpy: on a busy machine threads wait for each other
    os.environ |= {'LP_NUM_THREADS': '0', 'OPENBLAS_NUM_THREADS': '1'}
    context = multiprocessing.get_context('spawn')
    with context.Pool(workers, _begin, (sources, output, variety, manifest, found)) as pool:
        for ready, shard in enumerate(pool.imap_unordered(_make_shard, missing), 1):
            print(f'shard {shard}: {ready} of {len(missing)}', flush=True)


def reduced(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture and the box of its face, (4,) x1 y1 x2 y2, reduced so that the box is `FACE_PX` high at most."""
    scale = FACE_PX / float(box[3] - box[1])
    if scale >= 1:
        return image, box
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), box * scale


_maker: ShardMaker | None = None


def _begin(sources: Sources, output: Path, variety: Variety, manifest: Manifest, found: list[Found]) -> None:
    global _maker
    cv2.setNumThreads(1)
    mediapipe = MediaPipe(sources.models)
    builder = Builder(mediapipe, HeadModel(sources.head, mediapipe.canonical))

    def portrait_of(person: int) -> Portrait:
        image = read_picture(sources.portraits / found[person].name)
        return builder.build(*reduced(image, found[person].box))

    _maker = ShardMaker(output, variety, manifest, portrait_of)


def _make_shard(shard: int) -> int:
    assert _maker is not None
    _maker.make(shard)
    return shard


class ShardMaker:
    """Makes shards in one process.

    Args:
        output: the dataset's folder.
        variety: variety of each portrait's pictures.
        manifest: the dataset's manifest.
        portrait_of: a person's portrait by number.
    """

    def __init__(self, output: Path, variety: Variety, manifest: Manifest, portrait_of: Callable[[int], Portrait]):
        self.output, self.variety, self.manifest, self.portrait_of = output, variety, manifest, portrait_of
        self.turner = Turner()

    def make(self, shard: int) -> None:
        """Makes one shard, with its turns and fits beside it."""
        pictures = self.variety.pictures
        first = shard * self.manifest.shard_size // pictures
        writer = ShardWriter(self.output, self.manifest, shard)
        turns, fits = [], []
        for person in range(first, first + self.manifest.shard_count(shard) // pictures):
            rng = np.random.default_rng([self.manifest.seed, person])
            portrait = self.portrait_of(person)
            self.turner.load(portrait.image, portrait.person)
            fits.append(portrait.R_cam_head)
            for number, pose in enumerate(draw_poses(rng, portrait.R_cam_head, self.variety)):
                if number < self.variety.as_taken:
                    drawn = portrait.cut(CROP_SIZE, CROP_MARGIN, background=number % 2 == 0)
                else:
                    drawn = portrait.draw(self.turner, pose, CROP_SIZE, CROP_MARGIN)
                gray = cv2.cvtColor(drawn.image, cv2.COLOR_BGR2GRAY)
                row = _row(person, portrait, pose, drawn, self.manifest.seed)
                writer.put((person - first) * pictures + number, gray, drawn.alpha, np.zeros(gray.shape, np.uint16), row)
                turns.append(pose.D)
        folder = turns_folder(self.output)
        folder.mkdir(exist_ok=True)
        np.savez(folder / f'{shard_path(self.output, shard).name}.npz', D=np.stack(turns), R_fit=np.stack(fits))
        writer.finish()


def _row(person: int, portrait: Portrait, pose: Pose, drawn: Drawn, seed: int) -> dict[str, object]:
    R_cam_head = pose.D @ portrait.R_cam_head
    pixels = drawn.landmarks68_px
    kind = 'blink' if 'eyeBlink_L' in pose.morphs else 'open_mouth' if 'jawOpen' in pose.morphs else 'random'
    known = {
        'R_cam_head': R_cam_head,
        'R_crop_head': crop_rotation(drawn.K_crop, R_cam_head, CROP_SIZE),
        't_cam_head_m': drawn.t_cam_head_m,
        'K_crop': drawn.K_crop,
        'landmarks68_px': pixels,
        'box_px': np.concatenate([pixels.min(0), pixels.max(0)]),
        'identity': person,
        'expression': EXPRESSIONS.index(kind),
        'light': LIGHTS.index('one_sided' if pose.light.directed > 0 else 'soft'),
        'condition': -1,
        'seed': seed,
    }
    return {name: known.get(name, 0) for name in COLUMNS}


def split_of(name: str) -> str:
    """The split of a picture, by its person's name alone, so that every dataset holds out the same people, whoever else is in it."""
    return _SPLITS[int.from_bytes(hashlib.sha256(person_of(name).encode()).digest()[:8], 'big') % len(_SPLITS)]


def write_people(output: Path, names: list[str]) -> None:
    """Writes identities.csv: who is held out. A file that is there is kept, so that a dataset holds out the people that it began with.

    Raises:
        ValueError: if the file that is there has other people.
    """
    path = output / 'identities.csv'
    if path.exists():
        if [person for (person,) in read_people(output).values()] != names:
            raise ValueError(f'{output} was begun with other portraits: give another --output')
        return
    with written_whole(path) as part, open(part, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['id', 'split', 'name'])
        writer.writerows([person, split_of(name), name] for person, name in enumerate(names))


def print_people(output: Path) -> None:
    """Prints how many people a dataset shows and how many are held out; a line on the error output warns where a side has nobody."""
    names, splits = {number: name for number, (name,) in read_people(output).items()}, read_splits(output)
    people = {split: {person_of(names[number]) for number, own in splits.items() if own == split} for split in ('train', 'val', 'test')}
    counts = ', '.join(f'{len(who)} {split}' for split, who in people.items())
    print(f'{len(set().union(*people.values()))} people in {len(names)} pictures: {counts}', flush=True)
    nobody = 'trained on' if not people['train'] else 'held out' if not people['val'] | people['test'] else ''
    if nobody:
        print(
            f'nobody is {nobody}: a picture is of the person whom its name has before the first _, {names[0]} of {person_of(names[0])!r}; '
            'where that is wrong, name pictures PERSON_anything.jpg',
            file=sys.stderr,
            flush=True,
        )
