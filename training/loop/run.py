"""One training run: network, optimiser, data loader, schedule, and the steps it has done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..data.crops import SyntheticCrops
from ..datasets.label_sheet import draw_axes, sheet
from ..models import ensemble, face_mesh, googlenet
from ..models.factory import build
from ..models.precision import layers_in
from ..models.resize import fitted
from . import checkpoint, progress
from .config import RunConfig
from .distributed import DistributedContext, all_reduce_gradients, average_buffers, broadcast_value, broadcast_weights
from .ema import ExponentialMovingAverage
from .folder_lock import sole_writer
from .loader import BatchLoader, WorkerLoader, step_seed
from .losses import LossFunction, make_loss
from .optimiser import make_optimiser, precision_on
from .sigterm import catch_sigterm
from .sources import TrainingCrops
from .teacher import Teacher
from .validate import held_out, measure_std, validate


class Run:
    """One training run: its network, optimiser and data, and the steps it has done.

    Args:
        config: the run's configuration.
        train_set: crops to train on.
        val_set: held-out crops, or None.
        out: folder for checkpoints, log and pictures.
        context: this process in the group.
        minutes: time budget over all resumed parts; None for the configured steps.
        start: checkpoint whose averaged weights initialise a new run.
        workers: processes that load batches ahead, for training on a CPU; 0 loads them in this process.
        keep_at: steps after which the checkpoint is also kept as step_N.pt.
        teacher: checkpoint of a network whose estimates are further targets. Crops are drawn at the larger of both networks' sizes and
            reduced, as `c2f_head_pose.crop` reduces pictures, to each network's own, so both see the same framing and disturbances.
    """

    def __init__(
        self,
        config: RunConfig,
        train_set: TrainingCrops,
        val_set: SyntheticCrops | None,
        out: Path,
        context: DistributedContext,
        minutes: float | None = None,
        start: Path | None = None,
        workers: int = 0,
        keep_at: Collection[int] = (),
        teacher: Path | None = None,
    ):
        if minutes is not None and minutes <= 0:
            raise ValueError(f'a budget of {minutes:g} minutes trains nothing: give more than 0')
        self.config, self.train_set, self.val_set = config, train_set, val_set
        self.out, self.context, self.minutes, self.keep_at = out, context, minutes, keep_at
        if context.device.type == 'cuda':
            self._hold_data()
        torch.manual_seed(config.seed)
        self.network = build(config.network).to(context.device, memory_format=torch.channels_last)
        if self.network.modality != config.modality:
            raise ValueError(f'modality is {config.modality!r}, the network reads {self.network.modality!r}: set network.modality too')
        broadcast_weights(self.network, context)
        self.schedule = config.make_schedule()
        self.teacher = None if teacher is None else Teacher(teacher, config, context.device)
        self.loss: LossFunction = make_loss(config.loss, self.teacher)
        self.step, self.elapsed_s = 0, 0.0
        self.data_hash, self.commit = train_set.data_hash, checkpoint.commit()
        self.data = [s.path.name for s in train_set.sets]
        self.started_from, self.samples_before, self.rendered = '', 0, isinstance(train_set, SyntheticCrops) and train_set.rendered
        self.std_measured = not hasattr(self.network, 'std_rad')
        if self.teacher is not None:
            self.rendered &= self.teacher.rendered
        resumes = self.path.exists()
        if not resumes:
            self._begin(start)
        elif start is not None:
            self.print_once(f'resuming {self.path}: --start is not used')
        self.ema = ExponentialMovingAverage(self.network, config.ema)
        self.optimiser = make_optimiser(self.network, config)
        if resumes:
            self._resume()
        self.schedule.plan(by_time=minutes is not None)
        self.loader: BatchLoader | WorkerLoader = BatchLoader(train_set, config, context.device, self.drawn_size)
        if workers and context.device.type == 'cpu':
            self.loader = WorkerLoader(train_set, config, self.step, context.shards(config.shards), workers, self.drawn_size)

    @property
    def path(self) -> Path:
        """The checkpoint that a run resumes from."""
        return self.out / 'last.pt'

    @property
    def drawn_size(self) -> int:
        """Side at which training crops are drawn, pixels."""
        return max(self.config.size, 0 if self.teacher is None else self.teacher.size)

    @cached_property
    def val_crops(self) -> tuple[torch.Tensor, np.ndarray]:
        """The crops of the held-out set and their rotations, drawn once: every validation is on the same (16 MB at 128 pixels)."""
        assert self.val_set is not None
        return held_out(self.val_set, self.config)

    def _hold_data(self) -> None:
        """Copies the rendered crops to the GPU if they fit into 60 % of its free memory."""
        torch.cuda.empty_cache()  # memory of a previous run in this process
        free, _ = torch.cuda.mem_get_info(self.context.device)
        held = isinstance(self.train_set, SyntheticCrops) and self.train_set.hold(self.context.device, int(free * 0.6))
        self.print_once(f'training data {"held on the GPU" if held else "streamed from the host"}')

    def _begin(self, start: Path | None) -> None:
        """Initialises a new run's network: with the weights of `start`, or its trunk with the ImageNet file that its settings name."""
        if start is not None:
            self._start(start)
        elif imagenet := getattr(self.network, 'imagenet', None):
            googlenet.load_imagenet(self.network.trunk, imagenet)
            self.started_from, self.rendered = googlenet.provenance(imagenet), False
        elif isinstance(getattr(self.network, 'trunk', None), face_mesh.FacePoints):
            raise ValueError(
                f"{self.config.name} trains heads on MediaPipe's network, whose weights it does not change: give --start "
                'face_landmark.tflite, which `python -m training.portraits fetch` fetches'
            )

    def _start(self, path: Path) -> None:
        """Initialises the network with a checkpoint's averaged weights, or its trunk with MediaPipe's."""
        if path.suffix != face_mesh.SUFFIX:
            self._start_from(checkpoint.load(path))
            return
        trunk = getattr(self.network, 'trunk', None)
        if not isinstance(trunk, (face_mesh.FaceMeshTrunk, face_mesh.FacePoints)):
            raise ValueError(f'{path} initialises networks of the configurations face_mesh and face_points only')
        face_mesh.read_weights(trunk, path)
        self.started_from, self.rendered = face_mesh.provenance(path), False

    def _start_from(self, content: checkpoint.Content) -> None:
        """Initialises the network with another run's averaged weights; a network of another size adapts them (`models.resize`)."""
        weights, theirs, ours = checkpoint.own_weights(content, self.print_once), content['config']['network'], self.config.network
        try:
            if theirs['kind'] == 'ensemble':
                weights, theirs = ensemble.member(weights, theirs, ours['kind'])
            self.network.load_state_dict(fitted(weights, theirs, self.network, ours))
        except (RuntimeError, ValueError) as error:
            differ = [key for key in theirs | ours if theirs.get(key) != ours.get(key)]
            there, here = (', '.join(f'{key} {of.get(key)}' for key in differ) for of in (theirs, ours))
            why = f': {error}' if isinstance(error, ValueError) else ''  # torch lists every tensor
            raise ValueError(f'{content.path} is a network of {there}; this is one of {here}{why}') from error
        self.started_from = checkpoint.history(content)
        self.samples_before = content['samples'] + content.get('samples_before', 0)
        self.rendered &= content.get('rendered', True)

    def _resume(self) -> None:
        state = checkpoint.load(self.path)
        steady, fell = self.out / 'steady.pt', 0 <= state['schedule'][0] <= state['step']
        if fell and self.minutes is not None and self.minutes > state.get('minutes', 0.0) and steady.exists():
            print(f'the budget grew: going on from {steady.name}, from before the learning rate decayed', flush=True)
            state = checkpoint.load(steady)
            state['schedule'] = (-1, 0)  # the decay has not begun
        other = checkpoint.differences(state, self.config.as_dict(), self.train_set.hashes)
        if other == ['data']:
            print(f'{self.path}: the training data changed since ({state["data_hash"]} then, {self.data_hash} now)', file=sys.stderr)
        elif other:
            raise ValueError(f'{self.path} was trained with other {", ".join(other)}: give another --out')
        before, now = state.get('teacher'), self.teacher and self.teacher.provenance
        if (before and before['hash']) != (now and now['hash']):
            taught = f'taught by {before["name"]} ({before["hash"]})' if before else 'without a teacher'
            raise ValueError(f'{self.path} was trained {taught}: give the same --teacher, or another --out')
        self.started_from = checkpoint.history(state, with_teacher=False) if other else state.get('started_from', '')
        first_hash = self.data_hash if other else state['data_hash'].split('+')[0]  # perhaps the same data's of before 0.22.0
        known = checkpoint.data_of(({'data_hash': first_hash, 'data': self.data, 'rendered': self.rendered}, state))
        self.data_hash, self.data, self.rendered = known['data_hash'], known['data'], known['rendered']
        self.samples_before, self.std_measured = state.get('samples_before', 0), state.get('std_measured', self.std_measured)
        light = state.get('light', False)
        self.network.load_state_dict(state['average' if light else 'network'])
        self.ema.network.load_state_dict(state['average'])
        if light:
            self.print_once(f'{self.path} has the EMA of the weights alone: going on from it, with a new state of the optimiser')
        else:
            self.optimiser.load_state_dict(state['optimiser'])
        self.step, self.elapsed_s = state['step'], state['elapsed_s']
        self.schedule.resume(*state['schedule'])

    def save(self, name: str = 'last.pt') -> None:
        """Writes a checkpoint."""
        self._share_buffers()
        if self.context.is_main:
            self.out.mkdir(parents=True, exist_ok=True)
            checkpoint.save(
                self.out / name,
                network=self.network.state_dict(),
                average=self.ema.network.state_dict(),
                optimiser=self.optimiser.state_dict(),
                step=self.step,
                elapsed_s=self.elapsed_s,
                minutes=self.minutes or 0.0,
                schedule=self.schedule.fall,
                config=self.config.as_dict(),
                seed=self.config.seed,
                commit=self.commit,
                started_from=self.started_from,
                data_hash=self.data_hash,
                data=self.data,
                rendered=self.rendered,
                std_measured=self.std_measured,
                teacher=self.teacher and self.teacher.provenance,
                samples=self.step * self.config.batch,
                samples_before=self.samples_before,
            )

    def do_step(self) -> dict[str, float]:
        """Does one optimiser step over the global batch and returns the mean figures of this process's shards."""
        self.network.train()
        for group in self.optimiser.param_groups:
            group['lr'] = self.schedule.lr(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        figures: dict[str, float] = {}
        shards = self.context.shards(self.config.shards)
        for shard in shards:
            batch = self.loader.batch(self.step, shard)
            torch.manual_seed(step_seed(self.config, self.step, shard))  # dropout
            batch = replace(batch, crops=batch.crops.contiguous(memory_format=torch.channels_last))
            with layers_in(precision_on(self.context.device, self.config.precision)):
                loss, parts = self.loss(self.network, batch)
            (loss / self.config.shards).backward()
            for name, value in parts.items():
                figures[name] = figures.get(name, 0.0) + float(value) / len(shards)
        all_reduce_gradients(self.network, self.context)
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        self.ema.update(self.network, self.step)
        self.step += 1
        if not np.isfinite(figures['loss']):
            raise FloatingPointError(f'the loss is {figures["loss"]} at step {self.step}: lower the learning rate in the configuration')
        return figures

    def go(self, pause_s: float | None = None) -> dict[str, float]:
        """Trains until the steps or the time budget end, for `pause_s` seconds, or until SIGTERM; returns the last validation's figures.

        Raises:
            ValueError: if another training writes to the folder.
            FloatingPointError: if the loss is not finite: lower the learning rate.
        """
        with sole_writer(self.out) if self.context.is_main else nullcontext(), catch_sigterm() as stopped:
            return self._train(pause_s, stopped)

    def _train(self, pause_s: float | None, stopped: Callable[[], bool]) -> dict[str, float]:
        if self.step >= self.schedule.last_step and (self.out / 'final.pt').exists():
            more = 'another --out' if self.minutes is None else 'a larger --minutes to go on, or another --out'
            self.print_once(f'done before: {self.out / "final.pt"}, {self.step} steps. Give {more}')
            return {}
        log = progress.Log(self.out, self.step) if self.context.is_main else None
        if self.context.is_main and self.step == 0:
            self.show_samples()
        began, before, first = time.monotonic(), self.elapsed_s, self.step
        last_save, figures, val = time.monotonic(), {}, {}
        while self.step < self.schedule.last_step:
            if pause_s is not None and broadcast_value(time.monotonic() - began, self.context) >= pause_s:
                break
            if broadcast_value(float(stopped()), self.context):
                self.save()
                self.print_once(f'stopped by SIGTERM at step {self.step}: the same command resumes')
                return val or figures
            self.elapsed_s = before + time.monotonic() - began
            if self.minutes is not None:
                used = broadcast_value(self.elapsed_s / (60 * self.minutes), self.context)
                self._keep_time(used)
            new = self.do_step()
            figures = {k: 0.98 * figures.get(k, v) + 0.02 * v for k, v in new.items()}
            speed = (self.step - first) * self.config.batch / max(time.monotonic() - began, 1e-9)
            at_end = self.step >= self.schedule.last_step
            if self.val_set is not None and (self.step % self.config.validate_every == 0 or at_end):
                self._share_buffers()
                val = validate(self.ema.network, *self.val_crops)
            if log and (self.step % self.config.log_every == 0 or at_end):
                log.add(
                    step=self.step,
                    seconds=round(self.elapsed_s, 1),
                    samples=self.step * self.config.batch,
                    lr=self.schedule.lr(self.step - 1),
                    **figures,
                    **(val if self.step % self.config.validate_every == 0 or at_end else {}),
                )
                left = None if self.minutes is None else 60 * self.minutes - self.elapsed_s
                shown = ' '.join(
                    f'{k} {v:.3f}' for k, v in {**figures, **val}.items() if k in ('loss', 'error_deg', 'val_geodesic', 'val_coarse')
                )
                print(
                    f'step {self.step}/{self.schedule.last_step} {shown} {speed:.0f} samples/s, '
                    f'{progress.remaining(self.step - first, self.schedule.last_step - first, time.monotonic() - began, left)}',
                    flush=True,
                )
            if self.step in self.keep_at:
                self.save(f'step_{self.step}.pt')
            if broadcast_value(time.monotonic() - last_save, self.context) > self.config.save_every_s:
                self.save()
                last_save = time.monotonic()
        if hasattr(self.network, 'std_rad') and self.step >= self.schedule.last_step:
            self._measure_std()
        self.elapsed_s = before + time.monotonic() - began
        self.save()
        if self.step >= self.schedule.last_step:
            self.save('final.pt')
            self.print_once(f'{self.out / "final.pt"}: {self.step} steps in {self.elapsed_s / 60:.1f} min')
        if self.context.is_main:
            self.show_samples()
            plot_if_possible(self.out)
        return val or figures

    def _measure_std(self) -> None:
        """Measures the standard deviations of a network whose are constants: on held-out crops, or on training crops without any."""
        if self.val_set is not None:
            crops, truth = self.val_crops
        else:
            crops, truth = held_out(self.train_set, self.config, limit=self.config.validate_on)
            self.print_once(
                f'nobody is held out: the standard deviations are measured on {len(crops)} training crops, so they are too small for other '
                'people. Train with rendered folders too, which hold people out'
            )
        measure_std(self.ema.network, crops, truth)
        self.network.std_rad.copy_(self.ema.network.std_rad)
        self.std_measured = True

    def _share_buffers(self) -> None:
        """Averages the batch statistics over all processes, in the network and in its EMA."""
        average_buffers(self.network, self.context)
        self.ema.copy_buffers(self.network)

    def _keep_time(self, used: float) -> None:
        """Passes the used share of the budget, 0..1, to the schedule and prints when the learning rate begins to decay."""
        falls, level = self.schedule.falls(self.step), self.schedule.decay_level
        self.schedule.clock(self.step, used)
        if not falls and self.schedule.falls(self.step):
            self.save('steady.pt')  # a later call with a longer budget resumes from here
            self.print_once(f'step {self.step}: {100 * used:.0f} % of the time is used; {self._fall()}')
        elif level == 1 > self.schedule.decay_level:
            self.print_once(f'step {self.step}: the machine became slower; {self._fall()}, or sooner')

    def _fall(self) -> str:
        last = self.schedule.last_step
        return f'the learning rate decays from {self.schedule.lr(self.step):.2g} to {self.schedule.lr(last - 1):.2g} by step {last}'

    def print_once(self, text: str) -> None:
        """Prints a line in the main process."""
        if self.context.is_main:
            print(text, flush=True)

    def show_samples(self) -> None:
        """Writes samples.png: 32 training crops, each with the true axes and beside them with the estimated ones."""
        import cv2

        batch = BatchLoader(self.train_set, self.config, self.context.device).batch(self.step, 0)
        count = min(32, len(batch.crops))
        estimated = self.ema.network(batch.crops[:count])[0].detach().cpu().numpy()
        tiles = []
        for image, true, guess in zip(batch.crops[:count, 0].cpu().numpy(), batch.rotation[:count].cpu().numpy(), estimated, strict=True):
            pair = [cv2.resize(draw_axes(image, R, 2), (128, 128)) for R in (true, guess)]
            tiles.append(np.concatenate(pair, 1))
        cv2.imwrite(str(self.out / 'samples.png'), sheet(tiles, 4))


def plot_if_possible(folder: Path) -> None:
    """Draws the curves, or prints that matplotlib is missing."""
    try:
        progress.plot_curves(folder)
    except ImportError:
        print('no curves.png: matplotlib is not installed (log.csv has the figures)', file=sys.stderr)
