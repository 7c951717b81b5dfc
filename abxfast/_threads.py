"""Threads: how many this process may use."""

from __future__ import annotations

import os


def usable_threads() -> int:
    """Return the number of processors that this process may run on, the default number of threads."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
