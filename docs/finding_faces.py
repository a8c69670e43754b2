"""Which faces are found, and what the search costs: the tables and the plot of docs/finding_faces.md.

python docs/finding_faces.py found            # the faces pasted into images of three sizes, stills and streams, one person and two
python docs/finding_faces.py sweep            # cost of a search against the smallest face: docs/images/finding_faces.png
python docs/finding_faces.py cost OLD         # time of this checkout beside another one's, in turns, on 640x480 with one face
python docs/finding_faces.py smallest FOLDER  # faces of the default smallest size, pasted into pictures of a folder
python docs/finding_faces.py false OLD FOLDER # faces found in pictures of a folder, none of which shows a face, by both checkouts
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from finding_faces_beside import cost, false_faces, list_pictures

ROOT = Path(__file__).parents[1]
FACE = ROOT / 'tests' / 'data' / 'face.jpg'
FACE_CENTRE, FACE_SIDE = (0.483, 0.472), 0.796
"""Of the face in its picture, in parts of its side: centre and height of the detector's box."""
SIZES = {(1280, 720): 40, (1920, 1080): 60, (3840, 2160): 100}
"""The smallest face that must be found, pixels, by the size of the image."""
FPS = 30
BACKGROUNDS = ('gray', 'soft', 'blocks', 'noise')


@dataclass(frozen=True)
class Paste:
    """A face in an image: its height in pixels, and its centre in pixels."""

    side: float
    x: float
    y: float


def background(kind: str, width: int, height: int, chance: np.random.Generator) -> np.ndarray:
    """(height, width, 3) BGR uint8."""
    if kind == 'gray':
        return np.full((height, width, 3), 120, np.uint8)
    rows = (height // 48, width // 48) if kind == 'blocks' else (6, 8)
    span = (20, 235) if kind == 'blocks' else (60, 180)
    image = cv2.resize(
        chance.integers(*span, (*rows, 3), dtype=np.uint8),
        (width, height),
        interpolation=cv2.INTER_LINEAR if kind == 'blocks' else cv2.INTER_CUBIC,
    )
    return cv2.add(image, chance.integers(0, 40, image.shape, dtype=np.uint8)) if kind == 'noise' else image


def paste(image: np.ndarray, place: Paste, picture: np.ndarray) -> None:
    """Puts the face's picture into an image, its face as high as `place` has it."""
    side = round(place.side / FACE_SIDE)
    x, y = round(place.x - FACE_CENTRE[0] * side), round(place.y - FACE_CENTRE[1] * side)
    image[y : y + side, x : x + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def anywhere(side: float, width: int, height: int, chance: np.random.Generator) -> Paste:
    """A place for a face whose whole picture is inside the image."""
    margin = side / FACE_SIDE * 0.54 + 1
    return Paste(side, float(chance.uniform(margin, width - margin)), float(chance.uniform(margin, height - margin)))


def is_found(place: Paste, poses: list) -> bool:
    """Whether one of the poses has its box about the face: centres within a quarter of its size, sizes within a half."""
    return any(
        np.hypot(p.box.centre[0] - place.x, p.box.centre[1] - place.y) < 0.25 * place.side
        and 0.65 < max(p.box.width, p.box.height) / place.side < 1.5
        for p in poses
    )


def scenes(seed: int, near: int = 0) -> Iterator[tuple[tuple[int, int], str, list[Paste], np.ndarray]]:
    """Size, background, places and image of 24 scenes of each size; with `near`, a face of so many pixels in 720p beside the small one."""
    chance = np.random.default_rng(seed)
    picture = cv2.imread(str(FACE))
    for (width, height), side in SIZES.items():
        for i in range(24):
            kind = BACKGROUNDS[i % len(BACKGROUNDS)]
            image = background(kind, width, height, chance)
            places = [anywhere(side, width, height, chance)]
            while near and len(places) < 2:
                other = anywhere(near * height / 720, width, height, chance)
                if np.hypot(other.x - places[0].x, other.y - places[0].y) > 0.85 * (other.side + side):
                    places.insert(0, other)
            for place in places:
                paste(image, place, picture)
            yield (width, height), kind, places, image


def in_stream(estimator, image: np.ndarray, place: Paste, start: list[np.ndarray]) -> float | None:
    """Seconds from the first image with a face until it is found; None if it is not within 90 images.

    Args:
        estimator: reset before.
        image: the scene.
        place: of the face.
        start: images before it, in which the face is not there yet.
    """
    estimator.reset()
    for k, before in enumerate(start):
        estimator.estimate(before, stamp_s=100 + k / FPS)
    for k in range(90):
        if is_found(place, estimator.estimate(image, stamp_s=100 + (len(start) + k) / FPS)):
            return k / FPS
    return None


def found(seeds: int) -> None:
    """Prints how many faces are found."""
    from c2f_head_pose import HeadPoseEstimator

    cv2.setNumThreads(1)
    estimator = HeadPoseEstimator.load('c2f_edge', 'cpu')
    picture = cv2.imread(str(FACE))
    print(
        '| image | face | stills | streams, from their first image | streams, face comes later | longest until found | second person, '
        'streams | longest |\n|---|---|---|---|---|---|---|---|'
    )
    for (width, height), side in SIZES.items():
        tally = {name: [] for name in ('still', 'stream', 'later', 'pair')}
        for seed in range(seeds):
            for size, kind, (place,), image in scenes(seed):
                if size == (width, height):
                    tally['still'].append(is_found(place, estimator.estimate(image)))
                    tally['stream'].append(in_stream(estimator, image, place, []))
                    blank = background(kind, width, height, np.random.default_rng(seed))
                    tally['later'].append(in_stream(estimator, image, place, 7 * [blank]))
            for size, kind, places, image in scenes(1000 + seed, near=240):
                if size == (width, height):
                    alone = background(kind, width, height, np.random.default_rng(seed))
                    paste(alone, places[0], picture)
                    tally['pair'].append(in_stream(estimator, image, places[1], 7 * [alone]))
        times = {name: [t for t in values if t is not None and t is not False] for name, values in tally.items()}
        cells = [f'{len(times[name])} of {len(tally[name])}' for name in ('still', 'stream', 'later', 'pair')]
        later, pair = (f'{max(times[name], default=0):.2f} s' for name in ('later', 'pair'))
        print(f'| {width}x{height} | {side} px | {" | ".join(cells[:3])} | {later} | {cells[3]} | {pair} |', flush=True)


def smallest(folder: Path, sizes: list[tuple[int, int]]) -> None:
    """Prints how many faces of the default smallest size, and a little larger ones, are found in stills before photographs."""
    from c2f_head_pose.detect import FaceDetector
    from c2f_head_pose.tiles import smallest_face_px

    cv2.setNumThreads(1)
    detector, picture, chance = FaceDetector(), cv2.imread(str(FACE)), np.random.default_rng(0)
    print('| image | face | found |\n|---|---|---|')
    for width, height in sizes:
        for times in (1.0, 1.1, 1.2):
            side, seen = times * smallest_face_px(width, height), []
            for path in list_pictures(folder):
                image = cv2.resize(cv2.imread(str(path)), (width, height), interpolation=cv2.INTER_AREA)
                place = anywhere(side, width, height, chance)
                paste(image, place, picture)
                seen.append(is_found(place, [SimpleNamespace(box=box) for box in detector.detect_all_sizes(image, 0.6)]))
            print(f'| {width}x{height} | {side:.0f} px | {sum(seen)} of {len(seen)} |', flush=True)


# Cost against the smallest face.

SMALLEST_PX = (28, 40, 56, 80, 112)
SWEPT = ((640, 480), (1280, 720), (1920, 1080))


def sweep() -> None:
    """Prints and draws the time of a still's search, and of a stream's images while one face is followed, by `min_face_px`."""
    import matplotlib

    matplotlib.use('agg')
    from matplotlib import pyplot

    from c2f_head_pose import HeadPoseEstimator
    from c2f_head_pose.bench import scenes

    cv2.setNumThreads(1)
    figure, (still_axes, stream_axes) = pyplot.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    print('| image | min_face_px | still, ms | stream, median ms | stream, 98th percentile ms |\n|---|---|---|---|---|')
    for width, height in SWEPT:
        image, camera = scenes.picture(1, width, height), scenes.camera(width, height)
        stills, medians, worst = [], [], []
        for smallest in SMALLEST_PX:
            estimator = HeadPoseEstimator.load('c2f_edge', 'cpu', 1)
            estimator.options = replace(estimator.options, min_face_px=smallest)
            stills.append(float(np.median([took_ms(estimator.estimate, image) for _ in range(7)])))
            stream = [took_ms(estimator.estimate, image, camera=camera, stamp_s=1 + k / FPS) for k in range(4 * FPS)][FPS:]
            medians.append(float(np.median(stream)))
            worst.append(float(np.percentile(stream, 98)))
            print(f'| {width}x{height} | {smallest} | {stills[-1]:.1f} | {medians[-1]:.1f} | {worst[-1]:.1f} |', flush=True)
        still_axes.plot(SMALLEST_PX, stills, 'o-', label=f'{width}x{height}')
        (line,) = stream_axes.plot(SMALLEST_PX, medians, 'o-', label=f'{width}x{height}, median')
        stream_axes.plot(SMALLEST_PX, worst, 'o--', color=line.get_color(), label='98th percentile')
    for axes, title in ((still_axes, 'one still, everything searched'), (stream_axes, 'an image of a stream, one face followed')):
        axes.set(title=title, xlabel='min_face_px: smallest face searched for, pixels', ylabel='processor ms, one thread', ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.set_ylim(0, 1.35 * axes.get_ylim()[1])  # room for the legend
        axes.legend(fontsize=6, loc='upper right', ncols=len(axes.lines) // 2, columnspacing=1)
    figure.savefig(ROOT / 'docs' / 'images' / 'finding_faces.png', dpi=110)


def took_ms(work: Callable[..., object], *arguments: object, **options: object) -> float:
    """Processor milliseconds of a call, which other work on the machine changes little."""
    begun = time.process_time()
    work(*arguments, **options)
    return 1e3 * (time.process_time() - begun)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=('found', 'sweep', 'cost', 'smallest', 'false'))
    parser.add_argument('paths', nargs='*', type=Path, help='OLD, another checkout, and FOLDER, of pictures without faces')
    parser.add_argument('--seeds', type=int, default=1, help='sets of 24 scenes of each size')
    parser.add_argument('--size', nargs='+', default=['640x480'], help='of the images of `cost`, `smallest` and `false`')
    parser.add_argument('--rounds', type=int, default=60, help='of 10 images, for `cost`')
    options = parser.parse_args()
    sizes = [tuple(map(int, size.split('x'))) for size in options.size]
    if options.what == 'found':
        found(options.seeds)
    elif options.what == 'sweep':
        sweep()
    elif options.what == 'cost':
        for size in sizes:
            cost(*options.paths, *size, options.rounds)
    elif options.what == 'smallest':
        smallest(*options.paths, sizes)
    else:
        false_faces(*options.paths, sizes)


if __name__ == '__main__':
    main()
