"""How much memory there is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_UNKNOWN = 64 << 30
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_bytes() -> int:
    """Return the memory of the machine, or of the container that this process runs in; 64 GB if neither is known."""
    size = _UNKNOWN
    with contextlib.suppress(ValueError, OSError, AttributeError):  # Windows has no sysconf
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ValueError, OSError):  # no container, or "max"
        size = min(size, int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return size
