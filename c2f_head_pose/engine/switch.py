"""Runs one engine until another is ready, then switches to it."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable

import numpy as np

from ..models.registry import ModelError
from .contract import Engine, NetworkOutput

Report = Callable[[str], None]
"""Called with the progress as text."""
_log = logging.getLogger(__name__)


class SwitchingEngine:
    """Runs one engine while another is prepared in a thread; switches once, between two calls.

    Args:
        first: engine that runs until the other is ready.
        prepare: makes the other engine; runs in its own thread and receives a function that takes the progress as text.
        required: raise the reason at each call when `prepare` fails, instead of continuing with `first`.
    """

    def __init__(self, first: Engine, prepare: Callable[[Report], Engine], required: bool = False) -> None:
        self.contract = first.contract
        self._engine = first
        self._required = required
        self._ready: Engine | None = None
        self._failure = ''
        self._progress = 'starting'
        self._start_s = time.monotonic()
        self._done = threading.Event()
        # The thread does not keep the engine alive: where the node is cleaned up meanwhile, its session is freed at once.
        threading.Thread(target=_prepare, args=(weakref.ref(self), prepare), name='prepare engine', daemon=True).start()

    @property
    def progress(self) -> str | None:
        """The preparation's progress as text; None after it has ended."""
        return None if self._done.is_set() else f'{self._progress}, {time.monotonic() - self._start_s:.0f} s'

    @property
    def description(self) -> str:
        """Device and library of the engine that runs, with the preparation's progress or the reason why it failed."""
        if self._ready is not None:
            return self._ready.description
        if self._failure:
            return f'{self._engine.description}, because {self._failure}'
        return f'{self._engine.description}, until the engine for cuda is ready: {self.progress or "done"}'

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs the network on (B, 1, S, S) uint8 crops, B >= 1.

        Raises:
            ModelError: when the other engine was required and its preparation failed.
        """
        if self._ready is not None:
            self._engine = self._ready
        elif self._failure and self._required:
            raise ModelError(self._failure)
        return self._engine.infer(crops)

    def wait(self, timeout_s: float | None = None) -> None:
        """Waits until the preparation has ended.

        Args:
            timeout_s: longest wait, seconds; None without a limit.

        Raises:
            TimeoutError: when the preparation takes longer than `timeout_s`.
            ModelError: when the other engine was required and its preparation failed.
        """
        if not self._done.wait(timeout_s):
            raise TimeoutError(f'the engine is not ready after {timeout_s} s: {self._progress}')
        if self._failure and self._required:
            raise ModelError(self._failure)

    def _finish(self, ready: Engine | None, failure: str) -> None:
        if ready is not None and ready.contract != self.contract:
            ready, failure = None, 'the engine was built from another model file; build it again'
        if ready is not None:
            self._ready = ready
            _log.info('switching to %s', ready.description)
        else:
            self._failure = f'cuda failed: {failure}'
            _log.error('%s', self.description)
        self._done.set()

    def _report(self, progress: str) -> None:
        if progress != self._progress:
            _log.debug('engine: %s', progress)
        self._progress = progress


def _prepare(switching: weakref.ref[SwitchingEngine], prepare: Callable[[Report], Engine]) -> None:
    """Prepares the other engine in a thread, and hands it over if the engine that waits for it is still there."""

    def report(progress: str) -> None:
        if (engine := switching()) is not None:
            engine._report(progress)

    ready, failure = None, ''
    try:
        ready = prepare(report)
    except Exception as error:  # no caller above a thread could catch it: the description and the log report it
        failure = str(error)
    if (engine := switching()) is not None:
        engine._finish(ready, failure)
