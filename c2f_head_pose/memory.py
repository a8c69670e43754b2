"""Sets how the C library's allocator handles freed memory (glibc only; other libraries are not changed)."""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGEST_IMAGE = 32 << 20  # holds a 3840x2160 colour image; mallopt(3) guarantees no larger value
_KEPT = 64 << 20


def keep_freed(largest: int, kept: int) -> None:
    """Keeps freed memory in the process, so that the next allocation does not have to map and clear pages again.

    Args:
        largest: size of the largest block that is kept, bytes; larger blocks are mapped and unmapped separately.
        kept: bytes at the end of each thread's pool that are not returned to the system.
    """
    libc = _libc()
    if libc is not None:
        libc.mallopt(_MMAP_THRESHOLD, largest)
        libc.mallopt(_TRIM_THRESHOLD, kept)


def keep_image_memory() -> None:
    """Keeps the memory of one image for the next, at most 64 MB for each thread.

    By default glibc returns memory to the system once a few megabytes are free. Each 1280x720 image then maps and clears its pages
    several times, which takes longer than copying the image.
    """
    keep_freed(_LARGEST_IMAGE, _KEPT)


def give_back_memory() -> None:
    """Returns free memory in the allocator's pools to the system; a freed c2f_edge occupies a dozen megabytes there."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _libc() -> ctypes.CDLL | None:
    with contextlib.suppress(OSError):
        libc = ctypes.CDLL('libc.so.6')
        return libc if hasattr(libc, 'mallopt') and hasattr(libc, 'malloc_trim') else None
    return None
