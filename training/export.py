"""Writes model files: `python -m training.export CHECKPOINT --name NAME --out FOLDER [--precision fp32 fp16 int8]`.

Every file follows the model contract, which the package's own reader checks. The export fails if fp32 differs from PyTorch by more than
0.1 degree on any crop. The differences of fp16 and int8 are printed, and with --sets also their errors. NAME.pt has the averaged
weights, for `python -m training.train ... --start NAME.pt`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from c2f_head_pose import geometry
from c2f_head_pose.decode import softmax
from c2f_head_pose.engine import open_engine
from c2f_head_pose.engine.contract import CONTRACT_VERSION, CONVENTION, INPUT, OUTPUTS

from .command import exits_with_message, positive_float
from .data.crops import SyntheticCrops
from .data.depth import DEPTH_RANGE_M
from .datasets.base import DETECTOR_EXTENT
from .exporting.calibrate import calibrate, note
from .exporting.quantise import quantise
from .loop import checkpoint
from .loop.config import RunConfig, config_of
from .loop.sources import OWN
from .loop.validate import held_out
from .models.coarse_to_fine import CoarseToFine
from .models.face_mesh import FacePoints
from .models.symmetric import Symmetric

OPSET = 17
LARGEST_DIFFERENCE_DEG = 0.1
PRECISIONS = ('fp32', 'fp16', 'int8')
RENDERED = 'rendered heads of this project (training.render): assets of CC0, Apache-2.0 and, for the preset scans, MIT; no photographs'


class ExportError(RuntimeError):
    """An exported file differs from its network."""


class HalfTrunk(nn.Module):
    """A trunk in half precision with single-precision input and output, so that the heads keep single precision."""

    def __init__(self, trunk: nn.Module):
        super().__init__()
        self.trunk = trunk.half()
        self.channels, self.stride = getattr(trunk, 'channels', 0), getattr(trunk, 'stride', 0)

    def forward(self, x: Tensor) -> Tensor:
        """The trunk's output in single precision."""
        return self.trunk(x.half()).float()


@dataclass(frozen=True)
class Labels:
    """Names and terms in a model file's metadata.

    Attributes:
        name: the model's name, which its files have too.
        version: its own version.
        training_data: text on the training data; default: renders alone.
        licence: licence of the weights.

    Raises:
        ValueError: for a name that no file can have.
    """

    name: str
    version: str
    training_data: str = RENDERED
    licence: str = 'Apache-2.0'

    def __post_init__(self):
        if not re.fullmatch(r'[^\s./\\][^/\\\0\n]*', self.name):
            raise ValueError(f'--name {self.name!r} is no name of a file: give one without / and \\, such as my_model; its folder is --out')


def metadata(config: RunConfig, content: dict[str, Any], labels: Labels, precision: str) -> dict[str, str]:
    """The contract's metadata, all strings."""
    margin = config.augmentation().centred_margin
    out = {
        'c2f_contract': CONTRACT_VERSION,
        'name': labels.name,
        'version': labels.version,
        'modality': config.modality,
        'input_size': str(config.size),
        'crop_margin': f'{margin:.4g}',
        'detector_margin': f'{margin / DETECTOR_EXTENT:.4g}',
        'convention': CONVENTION,
        'training_data': labels.training_data,
        'licence': labels.licence,
        'seed': str(content['seed']),
        'commit': content['commit'],
        'data_hash': content['data_hash'],
        'samples': str(content['samples'] + content.get('samples_before', 0)),
        'precision': precision,
    }
    if teacher := content.get('teacher'):
        out['teacher'] = f'{teacher["name"]} {teacher["hash"]}'
    out |= content.get('calibration') or {}
    if config.modality == 'depth':
        out['depth_range_m'] = f'{DEPTH_RANGE_M:g}'
    return out


def write_onnx(network: nn.Module, size: int, path: Path, properties: dict[str, str]) -> None:
    """Exports a network with the contract's names, a free batch size and metadata."""
    import onnx

    network = network.eval()
    example = torch.randint(0, 256, (2, 1, size, size), dtype=torch.uint8)
    with warnings.catch_warnings():
        # the tracing exporter needs no further package and folds batch normalisation; PyTorch warns that it is deprecated
        warnings.simplefilter('ignore')
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamic_axes={name: {0: 'batch'} for name in (INPUT, *OUTPUTS)},
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


@torch.no_grad()
def differences_deg(network: nn.Module, path: Path, crops: np.ndarray) -> np.ndarray:
    """(N,) largest difference between PyTorch (fp32) and ONNX Runtime on each crop, degrees.

    It is the largest over the rotation, the standard deviations and the category's probabilities (0.01 counts as 1 degree). The batch
    sizes, 1 and 15, differ from the traced one.
    """
    engine = open_engine(str(path), 'cpu')
    mine = [output.numpy() for output in network(torch.from_numpy(crops))]
    cuts = [0, 1, *range(16, len(crops), 15), len(crops)]
    answers = [engine.infer(crops[a:b]) for a, b in pairwise(cuts) if b > a]
    theirs = [np.concatenate([getattr(a, name) for a in answers]) for name in OUTPUTS]
    rotation = geometry.geodesic_deg(mine[0], theirs[0])
    std = np.degrees(np.abs(mine[1] - theirs[1])).max(1)
    category = 100 * np.abs(softmax(mine[2]) - softmax(theirs[2])).max(1)
    return np.stack([rotation, std, category]).max(0)


def test_crops(config: RunConfig, data: list[str] | None, count: int) -> np.ndarray:
    """(N, 1, S, S) uint8 rendered crops, augmented as in training; without data, noise, which suits parity but not int8 ranges."""
    if not data:
        return np.random.default_rng(0).integers(0, 256, (min(count, 64), 1, config.size, config.size), np.uint8)
    crops = SyntheticCrops(data, 'train', config.modality == 'depth', config.pose_limits_deg, count)
    return held_out(crops, config)[0].numpy()


def export(
    source: Path,
    folder: Path,
    labels: Labels,
    precisions: list[str],
    data: list[str] | None = None,
    target: str = 'cpu',
    calibrate_on: int = 128,
    symmetric: bool = False,
    std_data: list[str] | None = None,
    least_std_scale: Sequence[float] = (1, 1, 1),
) -> dict[str, Path]:
    """Writes the model files of a checkpoint; if one fails, none is written.

    Args:
        source: checkpoint.
        folder: folder for NAME.onnx, NAME_fp16.onnx, NAME_int8.onnx, and NAME.pt, the averaged weights for `train --start`.
        labels: names and terms for the metadata.
        precisions: some of PRECISIONS; fp32 is always written.
        data: rendered datasets for parity and int8 ranges.
        target: target of int8: 'cpu' or 'tensorrt'.
        calibrate_on: number of crops for int8 ranges.
        std_data: datasets whose held-out people calibrate the standard deviations (`exporting.calibrate`); None keeps the network's own.
        least_std_scale: smallest factors of the deviations about x, y, z in that calibration.
        symmetric: whether the files output the mean for a crop and its mirror image (`symmetric.Symmetric`).

    Returns:
        The file of each precision.

    Raises:
        ExportError: if the fp32 file differs from PyTorch by more than 0.1 degree.
        ValueError: for int8 without data, pictures as data, a checkpoint that stems from pictures without a text on them in `labels`, or
            one whose constant deviations were not measured.
    """
    if pictures := [source for source in [*(data or ()), *(std_data or ())] if str(source).startswith(OWN)]:
        raise ValueError(
            f'{pictures[0]}: labelled pictures are for training and --sets. --data takes folders of rendered heads (training.render), '
            '--calibrate of turned portraits (training.portraits)'
        )
    if 'int8' in precisions and not data:
        raise ValueError('int8 needs rendered crops for its ranges: give --data')
    content = checkpoint.load(source)
    if not content.get('rendered', True) and labels.training_data == RENDERED:
        raise ValueError(
            f'{source} was trained on {checkpoint.history(content)}: describe these data with --training-data, and give --licence'
        )
    if not content.get('std_measured', True):
        raise ValueError(
            f"{source}: its network's standard deviations are constants that are measured when training ends, and it has not ended: go on "
            'with the same command, and export final.pt'
        )
    config = config_of(content['config'])

    def ready(weights: dict[str, Tensor], half: bool = False) -> nn.Module:
        network = checkpoint.network_of(checkpoint.Content(source, {**content, 'average': weights}))
        network.fuse()
        if half:
            for part in list(network.modules()):
                # half precision is too coarse for places in a crop
                if isinstance(part, CoarseToFine) and not isinstance(part.trunk, FacePoints):
                    part.trunk = HalfTrunk(part.trunk)
        return Symmetric(network).eval() if symmetric else network

    if std_data:
        if content.get('calibration'):
            raise ValueError(f"{source}'s deviations are calibrated already: leave --calibrate out, or give what it was exported from")
        content['average'], scale = calibrate(content['average'], ready, config, std_data, data, least_std_scale)
        content['calibration'] = note(scale, std_data)
    crops = test_crops(config, data, calibrate_on)
    network, check = ready(content['average']), crops[:128]
    with made(folder), tempfile.TemporaryDirectory(dir=folder) as work:
        files = {'fp32': Path(work) / f'{labels.name}.onnx'}
        write_onnx(network, config.size, files['fp32'], metadata(config, content, labels, 'fp32'))
        worst = float(differences_deg(network, files['fp32'], check).max())
        print(f'{_size(files["fp32"])}, at most {worst:.4f} degrees from PyTorch on {len(check)} crops')
        if not worst <= LARGEST_DIFFERENCE_DEG:
            raise ExportError(f'{files["fp32"].name} differs from PyTorch by {worst:.3f} degrees, more than {LARGEST_DIFFERENCE_DEG}')
        for precision in (p for p in precisions if p != 'fp32'):
            files[precision] = Path(work) / f'{labels.name}_{precision}.onnx'
            properties = metadata(config, content, labels, precision)
            if precision == 'fp16':
                write_onnx(ready(content['average'], half=True), config.size, files[precision], properties)
            else:
                quantise(files['fp32'], files[precision], crops, properties, target)
            apart = differences_deg(network, files[precision], check)
            print(
                f'{_size(files[precision])}, from PyTorch by {apart.mean():.3f} degrees in the mean, '
                f'{np.percentile(apart, 99):.3f} at the 99th percentile'
            )
        weights = Path(work) / f'{labels.name}.pt'
        checkpoint.save(weights, **{key: content[key] for key in checkpoint.WEIGHTS if key in content})
        weights.replace(folder / weights.name)
        return {precision: path.replace(folder / path.name) for precision, path in files.items()}


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Creates a folder, and removes it afterwards if it is still empty."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def _size(path: Path) -> str:
    return f'{path.name}: {path.stat().st_size / 1e6:.2f} MB'


def report_sets(files: dict[str, Path], sets: list[str], out: Path) -> None:
    """Evaluates each precision on the same sets and prints a line each, with the difference to fp32."""
    from .datasets.base import MissingDataError
    from .evaluation.measure import run_set
    from .evaluation.model_file import open_model
    from .evaluation.report import line, write_rows

    before: dict[str, float] = {}
    for precision, path in files.items():
        model = open_model(path, 'cpu')
        for name in sets:
            try:
                result = run_set(model, str(path), name, None, None, None, 1)
            except MissingDataError as error:
                print(f'{name}: not run. {error}', file=sys.stderr)
                continue
            result.row.update(
                ms=model.milliseconds(result.crops[:64, None]),
                threads=1,
                command=f'python -m training.export ... --precision {precision} --sets {name}',
            )
            before.setdefault(name, result.row['mae'])
            print(f'{line(result.row)}  {result.row["mae"] - before[name]:+.3f} MAE against fp32', flush=True)
            write_rows(out / 'precisions.csv', [result.row])


@exits_with_message(ValueError, OSError, ExportError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.export', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--name', required=True)
    parser.add_argument('--version', default='0.1.0')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--precision', nargs='+', default=['fp32'], choices=PRECISIONS)
    parser.add_argument('--data', nargs='+', help='rendered datasets, for parity and int8 ranges')
    parser.add_argument('--training-data', default=RENDERED)
    parser.add_argument('--licence', default='Apache-2.0')
    parser.add_argument('--target', choices=('cpu', 'tensorrt'), default='cpu', help='target of int8')
    parser.add_argument('--symmetric', action='store_true', help='output the mean for a crop and its mirror image, at twice the arithmetic')
    parser.add_argument(
        '--calibrate', nargs='+', metavar='DATA', help='datasets whose held-out people calibrate the standard deviations: turned portraits'
    )
    parser.add_argument(
        '--least-std-scale',
        nargs=3,
        type=positive_float,
        metavar=('X', 'Y', 'Z'),
        help="with --calibrate: smallest factors, such as an earlier version's, for a network labelled with --fit-share (default 1)",
    )
    parser.add_argument('--sets', nargs='*', default=[], help='evaluation sets to report each precision on')
    args = parser.parse_args(arguments)
    if args.least_std_scale and not args.calibrate:
        parser.error('--least-std-scale is for --calibrate')
    files = export(
        args.checkpoint,
        args.out,
        Labels(args.name, args.version, args.training_data, args.licence),
        args.precision,
        args.data,
        args.target,
        symmetric=args.symmetric,
        std_data=args.calibrate,
        least_std_scale=args.least_std_scale or (1, 1, 1),
    )
    if args.sets:
        report_sets(files, args.sets, args.out)


if __name__ == '__main__':
    sys.exit(main())
