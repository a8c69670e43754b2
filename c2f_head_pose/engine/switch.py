"""An engine that serves from ONNX Runtime until a better one is ready, then from that."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from ..models.registry import ModelError
from .contract import Engine, NetworkOutput

Say = Callable[[str], None]
_log = logging.getLogger(__name__)


class SwitchingEngine:
    """Runs one engine while another is made ready in the background; changes over between calls, once.

    Args:
        first: serves meanwhile.
        prepare: makes the other; called in a thread of its own, and given a function to say how far it is.
        required: when preparing fails, calls fail with the reason, rather than go on with `first`.
    """

    def __init__(self, first: Engine, prepare: Callable[[Say], Engine], required: bool = False) -> None:
        self.contract = first.contract
        self._engine = first
        self._required = required
        self._ready: Engine | None = None
        self._failure = ''
        self._progress = 'starting'
        self._start_s = time.monotonic()
        self._done = threading.Event()
        threading.Thread(target=self._prepare, args=(prepare,), name='prepare engine', daemon=True).start()

    @property
    def progress(self) -> str | None:
        """How far the other engine is, in words; None when there is nothing more to wait for."""
        return None if self._done.is_set() else f'{self._progress}, {time.monotonic() - self._start_s:.0f} s'

    @property
    def description(self) -> str:
        """Which engine runs, and what is to come or why nothing is."""
        if self._ready is not None:
            return self._ready.description
        if self._failure:
            return f'{self._engine.description}, because {self._failure}'
        return f'{self._engine.description}, until the engine for cuda is ready: {self.progress or "now"}'

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs the network on (B, 1, S, S) uint8 crops, B >= 1.

        Raises:
            ModelError: when the other engine was required and could not be made ready.
        """
        if self._ready is not None:
            self._engine = self._ready
        elif self._failure and self._required:
            raise ModelError(self._failure)
        return self._engine.infer(crops)

    def wait(self, timeout_s: float | None = None) -> None:
        """Waits until nothing more is to come.

        Raises:
            TimeoutError: after `timeout_s`.
            ModelError: when the other engine was required and could not be made ready.
        """
        if not self._done.wait(timeout_s):
            raise TimeoutError(f'the engine is not ready after {timeout_s} s: {self._progress}')
        if self._failure and self._required:
            raise ModelError(self._failure)

    def _prepare(self, prepare: Callable[[Say], Engine]) -> None:
        try:
            ready = prepare(self._say)
            if ready.contract != self.contract:
                raise ModelError('the engine was made from another model file')
            self._ready = ready
            _log.info('changing over to %s', ready.description)
        except Exception as error:  # a thread's last frame: whatever went wrong is told in the description and the log
            self._failure = f'cuda failed: {error}'
            _log.error('%s', self.description)
        finally:
            self._done.set()

    def _say(self, progress: str) -> None:
        if progress != self._progress:
            _log.debug('engine: %s', progress)
        self._progress = progress
