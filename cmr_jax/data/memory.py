"""Memory that is freed stays with the process: new pages cost more than what is read into them."""

import ctypes

# Of malloc.h, for mallopt: what is asked of the kernel for itself, and when it is given back.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
MIB = 1 << 20


def keep_freed() -> None:
    """Records and clips of a few megabytes come and go without the kernel; glibc only."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_THRESHOLD, 32 * MIB)
        mallopt(M_TRIM_THRESHOLD, 512 * MIB)
        mallopt(M_TOP_PAD, 64 * MIB)
