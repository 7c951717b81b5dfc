"""BLAS on a single thread while our own threads use it."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

_SET_BY_THREADPOOLCTL = "KMP_DUPLICATE_LIB_OK"
_value = os.environ.get(_SET_BY_THREADPOOLCTL)

from threadpoolctl import threadpool_limits  # noqa: E402

if _value is None:  # importing a library must not change the environment of its process
    os.environ.pop(_SET_BY_THREADPOOLCTL, None)

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
