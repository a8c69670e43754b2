"""Measures a model: `python -m training.evaluate MODEL SET... [--crop NAME] [--out FOLDER]`.

MODEL is a checkpoint, an .onnx file or a shipped name. A SET is aflw2000, pointing04, biwi, biwi:official (sequences 1 and 12),
biwi:80-20 (a fifth of the frames), boston, 300wlp, csv:FILE, or synthetic:FOLDER (held-out identities, clean) or disturbed:FOLDER
(as in training: a checkpoint's own, otherwise the default). A real set may name its crop: aflw2000@landmarks. Estimates are
compared as they are, without any alignment.

FOLDER gets a row of summary.csv for each set, and files whose names begin with the row's `files`: every face, plots, the worst cases.
The same weights on the same set with the same options replace their row and files; any other result gets its own.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from c2f_head_pose.models.registry import model_path

from .command import exits_with_message, positive_float, positive_int
from .datasets.base import MissingDataError
from .datasets.face_crops import CROPS
from .datasets.label_sheet import axis_sheet
from .datasets.registry import open_faces
from .evaluation.measure import parse_set, place_of, run_set
from .evaluation.model_file import open_model
from .evaluation.report import files_of, line, write_report, write_rows
from .evaluation.results import command_of


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 1 if a set was missing."""
    parser = argparse.ArgumentParser(
        prog='python -m training.evaluate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', nargs='?', help='checkpoint, .onnx file or shipped name')
    parser.add_argument('sets', nargs='*')
    parser.add_argument('--crop', choices=CROPS)
    parser.add_argument('--folder', help='folder of the real set; default: its environment variable')
    parser.add_argument('--out', type=Path, help='folder for summary.csv, faces, plots and worst cases')
    parser.add_argument(
        '--split', choices=('val', 'test', 'all'), default='test', help='of rendered sets; all: if no person was trained on'
    )
    parser.add_argument('--device', default='auto')
    parser.add_argument('--threads', type=positive_int, default=1)
    parser.add_argument('--limit', type=positive_int, help='largest number of faces of each set, spread over it; rendered sets: 4000')
    parser.add_argument('--within', type=positive_float, nargs=2, metavar=('YAW', 'PITCH'), help='largest yaw and pitch of rendered sets')
    parser.add_argument('--axes', metavar='SET', help='only write axes.png: labels drawn on the faces of a set')
    args = parser.parse_args(arguments)
    command = command_of('training.evaluate', sys.argv[1:] if arguments is None else arguments)
    if args.axes:
        path = (args.out or Path('.')) / 'axes.png'
        axis_sheet(open_faces(args.axes, args.folder), path)
        print(f'{path}: blue out of the face, green to its left, red up; if they do not fit the faces, the labels have other signs')
        return 0
    if not args.model or not args.sets:
        parser.error('name a model and at least one set')
    for name in args.sets:
        parse_set(name, args.crop)
    model = open_model(args.model, args.device, args.threads)
    weights = hashlib.sha256(model_path(args.model).read_bytes()).hexdigest()
    options = args.limit, args.split, args.within, args.device, args.threads
    missing = 0
    for name in args.sets:
        try:
            split = None if args.split == 'all' else args.split
            result = run_set(model, args.model, name, args.crop, args.folder, args.limit, args.threads, split, args.within, args.device)
        except MissingDataError as error:
            print(f'{name}: not run. {error}', file=sys.stderr)
            missing = 1
            continue
        result.row.update(ms=model.milliseconds(result.crops[:64, None]), threads=args.threads, command=command)
        print(line(result.row), flush=True)
        if args.out:
            result.row['files'] = files_of(result.row, weights, place_of(name, args.folder), options)
            write_rows(args.out / 'summary.csv', [result.row])
            write_report(args.out, result)
    return missing


if __name__ == '__main__':
    sys.exit(main())
