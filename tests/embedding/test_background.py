import threading

import pytest

from abxfast.embedding.background import iterate_in_thread


def test_a_generator_runs_ahead_as_far_as_the_queue_has_room():
    yielded, full = [], threading.Event()

    def source():
        for n in range(100):
            yielded.append(n)
            if n == 4:
                full.set()
            yield n

    with iterate_in_thread(source(), queue_size=3, name="decode") as items:
        assert next(items) == 0
        assert full.wait(10)  # three wait in the queue, one to be put there
        assert yielded == [0, 1, 2, 3, 4]
        assert list(items) == list(range(1, 100))


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_a_consumer_that_fails_stops_the_generator(taken):
    closed_on = []

    def source():
        try:
            yield from range(100)
        finally:
            closed_on.append(threading.current_thread().name)

    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError), iterate_in_thread(source(), queue_size=2, name="decode") as items:  # noqa: PT012
        for _ in range(taken):
            next(items)
        raise ZeroDivisionError
    assert threading.active_count() == threads
    assert closed_on == ["decode"] or (not taken and closed_on == [])  # stopped before it started


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_an_exception_of_the_generator_comes_after_its_items(error):
    def source():
        yield from range(5)
        raise error

    received = []
    with pytest.raises(error), iterate_in_thread(source(), queue_size=2, name="decode") as items:  # noqa: PT012
        for item in items:
            received.append(item)  # noqa: PERF402  # what came before the error is to be kept
    assert received == [0, 1, 2, 3, 4]


def test_a_generator_that_yields_no_items_can_be_stopped():
    closed = []

    def endless():
        try:
            while True:
                yield None
        finally:
            closed.append(True)

    with iterate_in_thread(endless(), queue_size=1, name="decode"):
        pass
    assert closed == [True]
