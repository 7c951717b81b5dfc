"""BLAS on one thread while sweeps run, since the threads are ours."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()
_running: list[threadpool_limits] = []
"""One entry a sweep; the first one holds the limits."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread.

    The setting is of the process. Of several sweeps at once the first one takes it and the last one gives it back: each
    by itself would give back what another one had set.
    """
    with _lock:
        limits = _running[0] if _running else threadpool_limits(1, user_api="blas")
        _running.append(limits)
    try:
        yield
    finally:
        with _lock:
            _running.pop()
            if not _running:
                limits.restore_original_limits()
