"""What the C library's allocator does with freed memory (glibc; elsewhere nothing is changed)."""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGEST_IMAGE = 32 << 20  # a 3840x2160 colour image, and the most that mallopt(3) promises to take
_KEPT = 64 << 20


def keep_freed(largest: int, kept: int) -> None:
    """Keeps freed memory for what comes next, instead of giving it back and touching its pages anew.

    Args:
        largest: block that is kept, bytes; a larger one is mapped and given back by itself.
        kept: bytes at the end of each thread's pool that are not given back.
    """
    libc = _libc()
    if libc is not None:
        libc.mallopt(_MMAP_THRESHOLD, largest)
        libc.mallopt(_TRIM_THRESHOLD, kept)


def keep_image_memory() -> None:
    """Keeps the memory of one image for the next: at most 64 MB of each thread's.

    By default glibc gives it back once a few megabytes are free, so each 1280x720 image touches its pages anew, several times over:
    that costs more than copying it.
    """
    keep_freed(_LARGEST_IMAGE, _KEPT)


def give_back_memory() -> None:
    """Returns to the system what a freed model leaves in the allocator's pools (a dozen megabytes of c2f_edge)."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _libc() -> ctypes.CDLL | None:
    with contextlib.suppress(OSError):
        libc = ctypes.CDLL('libc.so.6')
        return libc if hasattr(libc, 'mallopt') and hasattr(libc, 'malloc_trim') else None
    return None
