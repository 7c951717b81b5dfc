"""Running tasks on a pool of threads."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import ThreadPoolExecutor


def for_each(
    pool: ThreadPoolExecutor,
    threads: int,
    function: Callable[..., object],
    tasks: Iterable[tuple[Any, ...]],
) -> None:
    """Call a function for every task. Each thread takes the next task when it has finished one.

    Parameters
    ----------
    pool : concurrent.futures.ThreadPoolExecutor
    threads : int
        How many threads of the pool to use.
    function : callable
    tasks : iterable of tuple
        The arguments of each call. Consumed one at a time, under a lock.

    Raises
    ------
    BaseException
        The first one raised by a call, or an interrupt of the waiting thread; no task is begun after it.
    """
    remaining = iter(tasks)
    lock, stopped = threading.Lock(), threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with lock:
                task = next(remaining, None)
            if task is None:
                return
            function(*task)

    futures = [pool.submit(work) for _ in range(threads)]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        stopped.set()
    for future in futures:
        future.result()
