"""Places the stamps of a recording in the time at which it is played."""

from __future__ import annotations

from ...files import FOREIGN_CLOCK_S


class NowStamps:
    """Places stamps on the clock of the recording: the first image's at its time of recording, others by their distance from it.

    A message without a stamp, or with one further than FOREIGN_CLOCK_S from the images' at its time of recording (of another clock, or of
    long before), is placed by that time instead. Images whose own stamps jump as far go on from there.
    """

    def __init__(self, stamp_ns: int, log_ns: int) -> None:
        """Begins with the first image.

        Args:
            stamp_ns: its stamp; 0 for none.
            log_ns: when it was recorded.
        """
        self._log_ns = log_ns
        self._stamp_ns = stamp_ns or log_ns
        self._ahead_ns = self._stamp_ns - log_ns

    def take_image(self, stamp_ns: int, log_ns: int) -> None:
        """Takes the next image, before it is placed; arguments as of the first."""
        if not self._usable(stamp_ns, log_ns) and stamp_ns:
            self._log_ns, self._stamp_ns = log_ns, stamp_ns
        if stamp_ns:
            self._ahead_ns = stamp_ns - log_ns

    def place(self, stamp_ns: int, log_ns: int) -> int:
        """Returns a time on the clock of the recording, in nanoseconds.

        Args:
            stamp_ns: a stamp; 0 for none.
            log_ns: when its message was recorded.
        """
        return self._log_ns - self._stamp_ns + (stamp_ns if self._usable(stamp_ns, log_ns) else log_ns + self._ahead_ns)

    def _usable(self, stamp_ns: int, log_ns: int) -> bool:
        return stamp_ns != 0 and abs(stamp_ns - log_ns - self._ahead_ns) <= FOREIGN_CLOCK_S * 1e9
