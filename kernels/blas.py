"""BLAS on a single thread while our own threads use it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()
_active: list[threadpool_limits] = []
"""The shared limits, once for each context that is open."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread within the context.

    The limit applies to the whole process. When contexts overlap, the first to open sets it and the last to close
    restores the former number; otherwise each would restore what another had set.
    """
    with _lock:
        limits = _active[0] if _active else threadpool_limits(1, user_api="blas")
        _active.append(limits)
    try:
        yield
    finally:
        with _lock:
            _active.pop()
            if not _active:
                limits.restore_original_limits()
