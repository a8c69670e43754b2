"""Renders a dataset shard by shard in several processes, and prints the progress."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import queue
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from training.synthetic.assets.fetch import assets_sha256, ensure_assets

from .assets import sources
from .layout import Manifest, is_begun, shard_path, write_manifest
from .people import identities
from .presets import Preset
from .writer import ShardWriter

SETTINGS = ('identities', 'yaw_deg', 'pitch_deg', 'roll_deg', 'per_head')
_DISK_RESERVE = 1.02


def manifest_of(preset: Preset, count: int, seed: int, shard_size: int, assets: Path, command: str) -> Manifest:
    """Returns the manifest of a new dataset."""
    versions = {name: importlib.metadata.version(name) for name in ('numpy', 'moderngl')}
    return Manifest(
        preset=preset.name,
        seed=seed,
        count=count,
        shard_size=shard_size,
        crop_size=preset.crop_size,
        crop_margin=preset.crop_margin,
        channels=preset.channels,
        composited=preset.composited,
        depth_model=preset.depth_model,
        command=command,
        versions={'python': sys.version.split()[0], **versions},
        asset_sha256=assets_sha256(assets),
        licences=sources.licences() | ({'ICT-FaceKit (identity modes)': 'MIT'} if preset.scans else {}),
        conditions=preset.conditions,
        settings={name: getattr(preset, name) for name in SETTINGS},
    )


def produce(
    preset: Preset, output: Path, manifest: Manifest, workers: int, device: str, part: tuple[int, int], photographs: Path | None
) -> None:
    """Renders the shards that are missing.

    Args:
        preset: the preset to render.
        output: the dataset's folder.
        manifest: the manifest, made by manifest_of.
        workers: processes.
        device: 'auto', 'cpu' or 'gpu'.
        part: (i, n): only shards whose number is i modulo n, for cluster jobs.
        photographs: folder of backgrounds, or None.

    Raises:
        RuntimeError: if the disk is too small, or a worker failed.
        ValueError: if the folder has another dataset, or is a file. The folder then stays unchanged.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f'{output} is a file: give a folder')
    is_begun(output, manifest)
    people = identities.population(preset.identities, preset.male_share, manifest.seed)

    def begin() -> None:
        write_manifest(output, manifest)
        identities.write_identities(output / 'identities.csv', people)

    missing = [s for s in range(part[0], manifest.shards, part[1]) if not shard_path(output, s).exists()]
    samples = sum(manifest.shard_count(s) for s in missing)
    needed = samples * manifest.bytes_per_sample * _DISK_RESERVE
    free = shutil.disk_usage(next(folder for folder in (output, *output.absolute().parents) if folder.exists())).free
    print(
        f'{samples} samples in {len(missing)} shards to render into {output}: {needed / 1e6:,.1f} MB of disk, {free / 1e6:,.0f} MB free',
        flush=True,
    )
    if needed > free:
        raise RuntimeError(f'{output} lacks {(needed - free) / 1e6:,.1f} MB: free some, render fewer (--count), or another folder')
    if not missing:
        begin()
        return
    context = multiprocessing.get_context('spawn')
    tasks, done = context.Queue(), context.Queue()
    for shard in missing:
        tasks.put(shard)
    workers = min(workers, len(missing))
    for _ in range(workers):
        tasks.put(None)
    # processes instead of threads, for llvmpipe and numpy, whose threads wait for each other on a busy machine
    os.environ['LP_NUM_THREADS'] = '0' if workers > 1 else str(os.cpu_count() or 1)
    if workers > 1:
        os.environ['OPENBLAS_NUM_THREADS'] = '1'
    if device == 'cpu':
        os.environ['LIBGL_ALWAYS_SOFTWARE'] = '1'
    processes = [
        context.Process(
            target=_work, args=(asdict(manifest), preset.name, _overrides(preset), output, tasks, done, photographs, device), daemon=True
        )
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        _watch(processes, done, samples, begin)
    finally:
        for process in processes:
            process.terminate()  # has no effect on those that have ended


def _overrides(preset: Preset) -> dict[str, object]:
    return {name: getattr(preset, name) for name in ('count', 'crop_size', 'crop_margin', 'channels', *SETTINGS)}


def _work(
    manifest_values: dict,
    preset_name: str,
    overrides: dict,
    output: Path,
    tasks: multiprocessing.Queue,
    done: multiprocessing.Queue,
    photographs: Path | None,
    device: str,
) -> None:
    from dataclasses import replace

    from .presets import PRESETS
    from .scene.crops import CropMaker

    try:
        import cv2

        cv2.setNumThreads(1)
        manifest = Manifest(**manifest_values)
        maker = CropMaker(ensure_assets(quiet=True), replace(PRESETS[preset_name], **overrides), manifest.seed, photographs)
        if device == 'gpu' and 'llvmpipe' in maker.renderer.device:
            done.put(('error', '--device gpu, but OpenGL came up on llvmpipe: install the GPU driver with EGL, or use --device cpu'))
            return
        done.put(('device', maker.renderer.device))
        while (shard := tasks.get()) is not None:
            writer = ShardWriter(output, manifest, shard)
            for index in range(manifest.shard_count(shard)):
                if not multiprocessing.parent_process().is_alive():  # the parent was killed
                    return
                crop = maker.make(shard * manifest.shard_size + index)
                writer.put(index, crop.image, crop.alpha, crop.depth_mm, crop.row)
                done.put(('sample', 1))
            writer.finish()
        done.put(('end', 0))
    except BaseException as error:  # reported to the parent, which stops everything
        done.put(('error', f'{type(error).__name__}: {error}'))
        raise


def _watch(processes: list, done: multiprocessing.Queue, samples: int, begin: Callable[[], None]) -> None:
    started, count, ended, shown = time.monotonic(), 0, 0, 0.0
    named = ''
    while ended < len(processes):
        try:
            kind, value = done.get(timeout=5)
        except queue.Empty:
            if any(p.exitcode not in (None, 0) for p in processes):
                raise RuntimeError('a render process died without a message, perhaps for lack of memory: try --workers 1') from None
            continue
        if kind == 'error':
            raise RuntimeError(value)
        if kind == 'device' and not named:
            named = value
            begin()
            print(f'{len(processes)} processes on {named}', flush=True)
        ended += kind == 'end'
        count += kind == 'sample'
        now = time.monotonic()
        if kind == 'sample' and (now - shown > (1 if sys.stdout.isatty() else 20) or count == samples):
            shown = now
            rate = count / (now - started)
            end = '\r' if sys.stdout.isatty() and count < samples else '\n'
            print(
                f'{count}/{samples} {100 * count / samples:5.1f} %  {rate:6.1f} samples/s  {(samples - count) / rate / 60:6.1f} min left',
                end=end,
                flush=True,
            )
    for process in processes:
        process.join()
