"""The C library's memory policy, which decides whether training runs at memory's speed."""

from __future__ import annotations

import ctypes
import sys

KEPT_BYTES = 1 << 28
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # Names of glibc's malloc.h.


def keep_freed_memory() -> None:
    """Let this process keep up to 256 MB that it has freed, where the C library is glibc.

    A training step frees some megabytes and needs them again in the next step. By default glibc
    hands them back to the system each time, and each new page costs more than the arithmetic on it.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, 8 << 20)  # Larger ones, of whole datasets, are handed back.
