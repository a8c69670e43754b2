"""Compares this checkout with another one for docs/finding_faces.md: time for each image, and false faces; each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]

_LOAD = """
import json, sys, time
import cv2
import numpy as np
cv2.setNumThreads(1)
import c2f_head_pose
from c2f_head_pose import HeadPoseEstimator
print(c2f_head_pose.__file__, flush=True)
estimator = HeadPoseEstimator.load('c2f_edge', 'cpu', 1)
chance = np.random.default_rng(0)
"""

_COST = (
    _LOAD
    + """
try:
    from c2f_head_pose.bench import scenes
except ImportError:
    from c2f_head_pose.timing import scenes
width, height, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
image, camera = scenes.picture(1, width, height), scenes.camera(width, height)
images = []
for i in range(24):
    shift = round(width / 16 * np.sin(2 * np.pi * i / 24)) if kind == 'motion' else 0
    moved = cv2.warpAffine(image, np.float32([[1, 0, shift], [0, 1, 0]]), (width, height), borderMode=cv2.BORDER_REFLECT)
    images.append(np.clip(moved + chance.normal(0, 3, image.shape), 0, 255).astype(np.uint8))
k = 0
for line in sys.stdin:
    out = []
    for _ in range(int(line)):
        k += 1
        wall, cpu = time.perf_counter(), time.process_time()
        poses = estimator.estimate(images[k % len(images)], camera=camera, stamp_s=1 + k / 30)
        out.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)))
        assert poses
    print(json.dumps(out), flush=True)
"""
)

_FALSE = (
    _LOAD
    + """
seconds, fps = 3, 10
for line in sys.stdin:
    path, width, height = json.loads(line)
    picture = cv2.imread(path)
    scale = max(1.1 * width / picture.shape[1], height / picture.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(picture, (round(scale * picture.shape[1]) + 1, round(scale * picture.shape[0]) + 1), interpolation=how)
    top = (picture.shape[0] - height) // 2
    still = len(estimator.estimate(np.ascontiguousarray(picture[top : top + height, :width])))
    estimator.reset()
    first, later, answered = set(), set(), 0
    for k in range(seconds * fps):
        left = round((picture.shape[1] - width) * k / (seconds * fps))
        image = cv2.add(picture[top : top + height, left : left + width], chance.integers(0, 8, (height, width, 3), dtype=np.uint8))
        ids = {pose.track_id for pose in estimator.estimate(image, stamp_s=100 + k / fps)}
        later |= ids - first if k else set()
        first |= ids if not k else set()
        answered += bool(ids)
    print(json.dumps((still, len(first), len(later), answered / (seconds * fps))), flush=True)
"""
)


class Workers:
    """A process of each checkout, 'old' and 'new', that answers a line of JSON by a line of JSON."""

    def __init__(self, old: Path, program: str, *arguments: object) -> None:
        self._workers = {}
        for name, root in (('old', old.resolve()), ('new', ROOT)):
            self._workers[name] = subprocess.Popen(
                [sys.executable, '-c', program, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=root,
                env=os.environ | {'PYTHONPATH': str(root)},
            )
            module = Path(self._workers[name].stdout.readline().strip())
            assert module.is_relative_to(root), f'{name} runs {module}, not the package of {root}'

    def ask(self, name: str, question: object) -> list:
        """The answer of one of them."""
        worker = self._workers[name]
        print(json.dumps(question), file=worker.stdin, flush=True)
        return json.loads(worker.stdout.readline())

    def close(self) -> None:
        """Ends both."""
        for worker in self._workers.values():
            worker.stdin.close()
            worker.wait()


def cost(old: Path, width: int, height: int, rounds: int) -> None:
    """Prints wall and processor time for each image of streams with one face, both checkouts in turns of 10 images.

    A camera at rest, and one that swings by an eighth of the image's width within 0.8 s; both with a sensor's noise.
    """
    print(
        '| scene | checkout | images | latency ms: median | mean | p99 | processor ms: median | mean | p99 | worst of a second: median '
        'over seconds, over the median |\n|---|---|---|---|---|---|---|---|---|---|'
    )
    for kind in ('rest', 'motion'):
        workers = Workers(old, _COST, width, height, kind)
        times: dict[str, list] = {'old': [], 'new': []}
        for name in times:
            workers.ask(name, 60)
        for i in range(rounds):
            for name in ('old', 'new') if i % 2 else ('new', 'old'):
                times[name] += workers.ask(name, 10)
        workers.close()
        for name, rows in times.items():
            wall, cpu = np.array(rows).T
            seconds = cpu[: len(cpu) // 30 * 30].reshape(-1, 30).max(1)
            cells = [f'{value:.2f}' for ms in (wall, cpu) for value in (np.median(ms), ms.mean(), np.percentile(ms, 99))]
            print(f'| {kind} | {name} | {len(rows)} | {" | ".join(cells)} | {np.median(seconds) / np.median(cpu):.2f} |', flush=True)


def list_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ('.jpg', '.jpeg', '.png'))


def false_faces(old: Path, folder: Path, sizes: list[tuple[int, int]]) -> None:
    """Prints the faces that both checkouts find in pictures that show none, in stills and in streams that pan over them for 3 s."""
    pictures = list_pictures(folder)
    print(
        '| image | checkout | pictures | false faces in stills | at the start of streams | a minute later in streams | images of streams '
        'with one |\n|---|---|---|---|---|---|---|'
    )
    for width, height in sizes:
        workers = Workers(old, _FALSE)
        for name in ('old', 'new'):
            rows = np.array([workers.ask(name, (str(path.resolve()), width, height)) for path in pictures])
            still, first, later, share = rows.sum(0)
            minutes = len(pictures) * 3 / 60
            cells = f'{still:.0f} | {first:.0f} | {later / minutes:.1f} | {100 * share / len(pictures):.1f} %'
            print(f'| {width}x{height} | {name} | {len(pictures)} | {cells} |', flush=True)
            where = ', '.join(f'{path.name} {row[:3].astype(int).tolist()}' for path, row in zip(pictures, rows) if row[:3].any())
            print(f'{name}: {where}', file=sys.stderr)
        workers.close()
