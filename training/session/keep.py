"""What of a session must survive the machine: state, reports, figures, logs, and checkpoints as small as they can be."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..loop import checkpoint
from . import parcel
from .session import Session, read_state

_LOG_BYTES = 20_000


class Keeper:
    """Writes what must survive into a folder of pieces.

    Args:
        session: the session whose files are kept.
        folder: folder for the pieces.
        piece_mb: size of the largest piece, megabytes; weights of a larger network are stored in half precision.
        total_mb: size of all pieces; what does not fit is left out, the last in `sources` first.
    """

    def __init__(self, session: Session, folder: Path, piece_mb: float, total_mb: float):
        self.session, self.folder, self.piece_mb, self.total_mb = session, folder, piece_mb, total_mb
        self._written: dict[str, int] = {}

    def sources(self) -> dict[str, Path]:
        """The session's files to keep by name, the most valuable first."""
        out, plan = self.session.out, self.session.plan
        files = sorted([*(out / 'report').glob('*.json'), *(out / 'results').glob('*.csv'), *(out / 'runs').glob('*/log.csv')])
        for training in plan.trainings:
            final, last = (self.session.run(training.name) / name for name in ('final.pt', 'last.pt'))
            files += [path for path in (final, last) if path.exists()][:1]
        rows = [path for path in sorted((out / 'runs' / 'tables').rglob('last.pt')) if not path.with_name('final.pt').exists()]
        return {str(path.relative_to(out)): path for path in [*files, *rows]}

    def changed(self) -> bool:
        """Whether any of the files was written since the last `write`."""
        return self._written != self._times(self.sources())

    def write(self) -> list[str]:
        """Writes the pieces; returns the names of files that did not fit."""
        sources = self.sources()
        self._written = self._times(sources)
        self.session.save()
        state = self.session.out / 'state.json'
        files: dict[str, Path | bytes] = {'state.json': state.read_bytes()}
        files |= {f'logs/{log.name}': log.read_bytes()[-_LOG_BYTES:] for log in sorted(self.session.logs.glob('*.log'))}
        room, left_out = self.total_mb * parcel.MB, []
        for name, path in sources.items():
            stored = self._light(path) if path.suffix == '.pt' else path
            needed = stored.stat().st_size + 1536  # tar's header and padding
            if needed > room:
                left_out.append(name)
                continue
            room -= needed
            files[name] = stored
        parcel.write(files, self.folder, int(self.piece_mb * parcel.MB))
        return left_out

    def restore(self, folder: Path) -> bool:
        """Unpacks an earlier call's pieces if they are further than the session's own folder; returns whether they were.

        Raises:
            ValueError: for a damaged folder.
        """
        there = self.session.out / 'earlier'
        parcel.read(folder, there)
        if read_state(there)['used_s'] <= self.session.used_before:
            shutil.rmtree(there)
            return False
        for path in sorted(there.rglob('*')):
            if path.is_file():
                target = self.session.out / path.relative_to(there)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        shutil.rmtree(there)
        self.session.state = read_state(self.session.out)
        self.session.used_before = self.session.state['used_s']
        return True

    def _light(self, path: Path) -> Path:
        """The small form of a checkpoint, made anew where the checkpoint is newer."""
        small = self.session.out / 'light' / path.relative_to(self.session.out / 'runs')
        if not small.exists() or small.stat().st_mtime_ns < path.stat().st_mtime_ns:
            small.parent.mkdir(parents=True, exist_ok=True)
            content = checkpoint.light(checkpoint.load(path))
            if sum(tensor.nbytes for tensor in content['average'].values()) > self.piece_mb * parcel.MB:
                content = checkpoint.light(checkpoint.load(path), half=True)
            checkpoint.save(small, **content)
        return small

    @staticmethod
    def _times(sources: dict[str, Path]) -> dict[str, int]:
        return {name: path.stat().st_mtime_ns for name, path in sources.items()}
