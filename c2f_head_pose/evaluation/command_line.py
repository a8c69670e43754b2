"""Evaluates head poses on recordings (rosbags), and writes figures, a report and a verdict. Needs no ROS.

Exit codes: 0 evaluated, and every gate passed; 1 a --fail-if condition holds; 2 nothing could be evaluated, the command is wrong, or
the report cannot be written; 3 evaluated in part: a recording was damaged or lost, its truth could not be used, or its files could not be
written; 4 a --fail-if condition could not be decided; 130 interrupted, the results until then are kept.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..engine import add_device_argument
from ..images.paths import utf8_path
from ..options import add_finding_arguments
from ..parameters import Parameters, nearest_name
from ..params_files import read_params
from ..recordings.pictures import PICTURE_RATE_HZ
from ..recordings.reader import folder_name
from . import gate, results
from .attention.timeline import driver_monitor
from .evaluate import Options, names_of
from .options import NODE_PARAMETERS
from .result_files import RESULT_FILES
from .truth.csv_file import read_csv
from .truth.heads import AXES, PARENTS
from .truth.read import truth_file

_LARGEST_OFFSET_S = 1e10
"""More than three centuries: a clock that starts at 0 is half a century from the time of day."""
_OF_THE_ESTIMATOR = {
    'model': '--model',
    'depth_model': '--depth-model',
    'second_model': '--second-model',
    'smoothing': '--no-smoothing',
    'max_faces': '--max-faces',
    'min_face_px': '--min-face-px',
}
"""Options that decide what an estimator finds, so without effect on recorded poses."""


def parse(
    arguments: list[str] | None = None, prog: str = 'evaluate_bag', description: str | None = __doc__
) -> tuple[argparse.Namespace, Options]:
    """Parses the command line into the arguments of the whole run, and the options for each recording."""
    command = parser(prog, description)
    chosen = command.parse_args(arguments)
    if chosen.params_file is not None:  # its values become the defaults, so what is given on the command line counts
        command.set_defaults(**{name: getattr(chosen.params_file, name) for name in NODE_PARAMETERS if hasattr(chosen, name)})
        chosen = command.parse_args(arguments)
    known = {f.name for f in fields(Options)}
    # Launch files cannot omit an argument, so an empty one counts as not given.
    values: dict[str, Any] = {
        k: tuple(filter(None, v)) if isinstance(v, list) else None if v == '' else v for k, v in vars(chosen).items() if k in known
    }
    return chosen, Options(**values)


def prepare(chosen: argparse.Namespace, live: bool = False) -> dict[str, Any] | None:
    """Reads the baseline, and checks it, files of truth and every other argument before any recording is evaluated.

    Args:
        chosen: the command line's arguments.
        live: whether a running node's answers are evaluated.

    Returns:
        The baseline's metrics.json; None without.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    for path in (chosen.output, *chosen.bag):
        utf8_path(path.resolve())
    _check_files(chosen)
    for path in filter(None, map(truth_file, chosen.truth if chosen.truth != ['none'] else ())):
        try:
            read_csv(path)
        except (ValueError, OSError) as error:
            raise ValueError(f'--truth: {error}') from error
    for expression in chosen.fail_if:
        gate.check(expression)
    unused = [option for name, option in _OF_THE_ESTIMATOR.items() if getattr(chosen, name) not in ('', getattr(Options, name))]
    if chosen.params_file is not None:  # from which the others may come
        unused = ['--params-file']
    why = 'no estimator runs with --recorded-topic' if chosen.recorded_topic else ''
    if live:
        why = 'the running node answers, with its own parameters'
        unused += ['--recorded-topic'] if chosen.recorded_topic else []
    if why and unused:
        raise ValueError(f'leave out {" and ".join(unused)}: {why}')
    if chosen.attention:
        try:
            driver_monitor(chosen.attention, chosen.camera_elevation_deg, chosen.image_rotation)
        except (ValueError, OSError) as error:
            raise ValueError(f'--attention: {error}') from error
    elif chosen.camera_elevation_deg:
        raise ValueError('--camera-elevation-deg is for --attention: name the zones of the vehicle too')
    return results.read_metrics(chosen.baseline) if chosen.baseline else None


def _check_files(chosen: argparse.Namespace) -> None:
    """Refuses an output folder where results would be taken for a recording, or replace a file that is read.

    Raises:
        ValueError: naming the folder or file, with the remedy.
    """
    read = {path.resolve() for path in (*chosen.bag, *map(Path, filter(None, chosen.truth)))}
    if len(chosen.bag) > 1 and chosen.output.resolve() in read:
        raise ValueError(f'{chosen.output} is one of the folders to evaluate; name another --output for the results of all together')
    for path, folder in zip(chosen.bag, folders(chosen.bag, chosen.output)):
        if results.is_result(path):
            continue
        if folder.resolve() in read or (folder / 'metadata.yaml').exists():
            raise ValueError(f'{folder} is the folder of a recording; name another --output for the results of {path}')
        if lost := next((folder / name for name in RESULT_FILES if (folder / name).resolve() in read), None):
            raise ValueError(f'{lost} would be overwritten by the results; name another --output')


def folders(paths: Sequence[Path], output: Path) -> list[Path]:
    """Returns the folder for the files of each recording."""
    return [output] if len(paths) == 1 else [output / name for name in names_of(paths, folder_name)]


def _within(low: float, high: float, kind: Callable[[str], float] = float) -> Callable[[str], float]:
    """Returns a type for argparse: numbers in a range, which NaN is not."""

    def read(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'{text} is not {f"between {low:g} and {high:g}" if high < math.inf else f"{low:g} or more"}')
        return value

    read.__name__ = kind.__name__  # argparse names it where the text is no number
    return read


def _node_parameters(path: str) -> Parameters | None:
    """Reads the file of --params-file, for argparse; an unknown name is refused, for a typo would be evaluated as the default."""
    if not path:
        return None
    try:
        values = read_params(Path(path), '/head_pose')
        if unknown := values.keys() - {row.name for row in fields(Parameters)}:
            near = {name: nearest_name(name) for name in sorted(unknown)}
            problems = [f'parameter {name} is not known' + (f', did you mean {meant}?' if meant else '') for name, meant in near.items()]
            raise ValueError(f'{path}: {"; ".join(problems)}')
        return Parameters.from_values(values)
    except (ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parser(prog: str = 'evaluate_bag', description: str | None = __doc__) -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    command = argparse.ArgumentParser(prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument(
        'bag',
        nargs='+',
        type=Path,
        metavar='BAG',
        help='rosbag2 folder, .mcap, .db3, .bag (also .zstd), a folder of pictures, or a folder that evaluate_bag wrote for one recording',
    )
    command.add_argument('--output', type=Path, required=True, metavar='DIR', help='folder for the results')
    command.add_argument(
        '--jobs',
        type=_within(1, math.inf, int),
        default=1,
        metavar='N',
        help='number of recordings at a time, each in its own process (default 1)',
    )
    what = command.add_argument_group('poses to evaluate')
    what.add_argument(
        '--model', default='c2f_edge', help='shipped name or .onnx file (default %(default)s); one of depth is run on depth alone'
    )
    what.add_argument(
        '--depth-model',
        metavar='MODEL',
        help="combine the estimates with a depth model's, such as c2f_depth, as the node's modality rgbd does",
    )
    add_device_argument(what)
    what.add_argument('--threads', type=int, default=1, help='CPU threads of each network (default %(default)s)')
    what.add_argument(
        '--params-file',
        type=_node_parameters,
        metavar='FILE',
        help="parameters of the node head_pose (.yaml), such as config/driver_monitoring.yaml: the estimator's are used, and an option "
        'given here comes before them',
    )
    what.add_argument('--second-model', metavar='MODEL', help='compare with another model on the same faces')
    what.add_argument('--recorded-topic', metavar='TOPIC', help='evaluate the poses in the recording instead of running the estimator')
    what.add_argument('--no-smoothing', dest='smoothing', action='store_false', help='do not smooth the poses over time')
    add_finding_arguments(what)
    topics = command.add_argument_group('topics (by default found by type and name)')
    topics.add_argument('--image', metavar='TOPIC')
    topics.add_argument('--camera-info', metavar='TOPIC', help="'none' for none")
    topics.add_argument('--depth', metavar='TOPIC', help="'none' for none")
    topics.add_argument(
        '--picture-rate-hz',
        type=_within(0.01, 1000),
        default=PICTURE_RATE_HZ,
        metavar='HZ',
        help='pictures a second, for a folder of pictures (default %(default)s)',
    )
    topics.add_argument('--rectified', action='store_true', help='the images are rectified: use P without distortion')
    truth = command.add_argument_group('truth')
    truth.add_argument(
        '--truth',
        action='append',
        default=[],
        metavar='SOURCE',
        help="topic, tf:FRAME or CSV file; repeat it for several people; 'none' for none",
    )
    truth.add_argument('--truth-axes', default='head', choices=tuple(AXES), help='axes of the true rotation (default %(default)s)')
    truth.add_argument('--truth-parent', default='optical', choices=tuple(PARENTS), help='frame of the true rotation (default %(default)s)')
    truth.add_argument(
        '--truth-offset-s',
        type=_within(-_LARGEST_OFFSET_S, _LARGEST_OFFSET_S),
        default=0.0,
        metavar='S',
        help="by how much the truth's stamps are later than those of the images they belong to, seconds (default 0)",
    )
    truth.add_argument('--truth-complete', action='store_true', help='the truth holds all heads in view, so other faces are false ones')
    truth.add_argument(
        '--max-gap-s',
        type=_within(0, math.inf),
        default=0.1,
        metavar='S',
        help='largest gap in the truth to interpolate over, seconds (default %(default)s)',
    )
    driver = command.add_argument_group("the driver's attention")
    driver.add_argument(
        '--attention',
        metavar='ZONES',
        help="zones of the vehicle, passenger_car_lhd, passenger_car_rhd or a path to a .yaml file: adds the driver's attention over time, "
        'for a camera that faces straight back along the car',
    )
    driver.add_argument(
        '--camera-elevation-deg', type=float, default=0.0, metavar='DEG', help='elevation of that camera, > 0 up (default %(default)s)'
    )
    verdict = command.add_argument_group('verdict')
    verdict.add_argument('--baseline', type=Path, metavar='METRICS', help='metrics.json of an earlier evaluation to compare with')
    verdict.add_argument(
        '--fail-if',
        action='append',
        default=[],
        metavar='EXPRESSION',
        help="exit with 1 if the condition holds, such as 'geodesic_deg.mean > 6' or 'baseline.worse > 0'",
    )
    files = command.add_argument_group('files')
    files.add_argument('--no-video', dest='video', action='store_false', help='do not write annotated.mp4')
    files.add_argument('--no-poses', dest='poses', action='store_false', help='do not write poses.mcap')
    files.add_argument('--limit', type=_within(0, math.inf, int), default=0, metavar='N', help='stop after N images (0: no limit)')
    return command
