"""Tasks on a pool of threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from abxfast.kernels.abx_counting.parallel import for_each


def test_every_task_runs_once():
    calls = []
    with ThreadPoolExecutor(3) as pool:
        for_each(pool, 3, lambda *arguments: calls.append(arguments), ((k, -k) for k in range(100)))
    assert sorted(calls) == [(k, -k) for k in range(100)]


def test_a_failure_in_one_thread_stops_the_others():
    finished, failed = [], threading.Event()

    def task(number):
        if number == 0:
            failed.set()
            raise KeyboardInterrupt
        failed.wait()
        time.sleep(0.001)
        finished.append(number)

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyboardInterrupt):
        for_each(pool, 2, task, ((k,) for k in range(10_000)))
    assert len(finished) < 1000
