"""One call of a session: runs the lanes for a limited time, and writes what must survive."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ..loop.sigterm import catch_sigterm
from . import kit, parcel
from .keep import Keeper
from .lanes import Lane
from .session import Session

_POLL_S = 0.25
_SAVE_S = 5.0
_KEEP_S = 20.0
"""Shortest time between two writings of the pieces."""


def work(session: Session, keeper: Keeper, stopped: Callable[[], bool], until: float, kill_at: float, environment: dict[str, str]) -> bool:
    """Runs the lanes until the GPU's is done, a time is reached, or SIGTERM; returns whether the work is done.

    Args:
        session: the work.
        keeper: writes what must survive.
        stopped: returns whether SIGTERM was received.
        until: time at which the commands are asked to stop, by `time.monotonic`.
        kill_at: time at which those that go on are killed.
        environment: environment variables of the commands.
    """
    on_gpu = Lane(session.on_gpu(), session.logs, environment)
    beside = [Lane(steps, session.logs, environment) for steps in (session.renders(), session.portraits())]
    lanes = [on_gpu, *beside]
    saved = kept = time.monotonic()
    try:
        while time.monotonic() < until and not on_gpu.done and not stopped():
            for lane in lanes:
                lane.advance()
            for lane in beside:
                lane.hold(on_gpu.alone)
            now = time.monotonic()
            if now - saved > _SAVE_S:
                session.save()
                saved = now
            if now - kept > _KEEP_S and keeper.changed():
                keeper.write()
                kept = now
            time.sleep(_POLL_S)
    finally:
        done = on_gpu.done
        for lane in lanes:
            lane.ask_to_stop()
        for lane in lanes:
            lane.stop(kill_at)
    return done


def call(
    session: Session, keeper: Keeper, minutes: float, reserve_s: float, resume: Path | None = None, packed: Path | None = None
) -> None:
    """Makes one call: begins where the earlier ones stopped, works, stops in time, and prints what is done.

    Args:
        session: the work.
        keeper: writes what must survive.
        minutes: length of the call, counted from `session.began`.
        reserve_s: part of it that stopping may take: two thirds for the commands, the rest for the pieces.
        resume: folder of pieces to begin with; None for the keeper's own, if it has any.
        packed: a kit.

    Raises:
        ValueError: for a damaged kit or folder of pieces.
    """
    ends = session.began + 60 * minutes
    unpacked = session.out / 'kit'
    if packed is not None:
        kit.unpack(packed, unpacked)
    if resume is None and (keeper.folder / parcel.INDEX).exists():
        resume = keeper.folder
    if resume is not None and keeper.restore(resume):
        print(f'going on from {resume}: {session.used_before / 60:.1f} of {session.total_minutes:g} minutes are used', flush=True)
    environment = {**os.environ, **kit.environment(unpacked), 'PYTHONUNBUFFERED': '1'}
    with catch_sigterm() as stopped:
        done = work(session, keeper, stopped, ends - reserve_s, ends - reserve_s / 3, environment)
        left_out = keeper.write()
    for job, facts in session.state['jobs'].items():
        print(f'{job}: {facts.get("status", "begun")}')
    if left_out:
        print(f'not in {keeper.folder}, which is full at {keeper.total_mb:g} MB: {", ".join(left_out)}')
    used, held = session.used_s / 60, parcel.size(keeper.folder) / parcel.MB
    print(f'{used:.1f} of {session.total_minutes:g} minutes used; {keeper.folder}: {held:.1f} MB')
    again = f'the same command, on another machine with --resume {keeper.folder}'
    if left := session.left:
        print(f'failed or waiting: {", ".join(left)}; to try again: {again}')
    else:
        print('nothing is left to do' if done else f'to go on: {again}')
