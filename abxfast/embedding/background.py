"""Iterating over a generator that runs in a thread of its own."""

from __future__ import annotations

import queue
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_POLL_S = 0.2
_Item = TypeVar("_Item")


@contextmanager
def iterate_in_thread(
    source: Generator[_Item | None, None, None], *, queue_size: int, name: str
) -> Iterator[Iterator[_Item]]:
    """Run a generator in a thread of its own; what it raises is raised in the consumer, after what it yielded.

    Leaving the ``with`` block stops the generator at its next item and closes it in its own thread. ``None`` is not
    passed on: a generator that works for long without an item yields it now and then, so that it can be stopped.

    Parameters
    ----------
    source : generator
    queue_size : int
        Items that may wait for the consumer.
    name : str
        Name of the thread.

    Yields
    ------
    iterator
        The items of `source` that are not ``None``.
    """
    relay = _Relay(source, queue_size)
    thread = threading.Thread(target=relay.produce, name=name, daemon=True)
    thread.start()
    try:
        yield relay.consume()
    finally:
        relay.stop.set()
        thread.join()


class _Exhausted(NamedTuple):
    """The last element of the queue, with what the generator raised, if anything."""

    error: BaseException | None


class _Relay(Generic[_Item]):
    """Passes items from the thread of a generator to its consumer."""

    def __init__(self, source: Generator[_Item | None, None, None], queue_size: int) -> None:
        self.stop = threading.Event()
        self._source = source
        self._queue: queue.Queue[_Item | _Exhausted] = queue.Queue(queue_size)

    def produce(self) -> None:
        """Run the generator, in its own thread."""
        error: BaseException | None = None
        try:
            with closing(self._source):
                for item in self._source:
                    if self.stop.is_set() or not (item is None or self._put(item)):
                        return
        except BaseException as raised:  # noqa: BLE001  # the consumer raises it
            error = raised
        self._put(_Exhausted(error))

    def _put(self, item: _Item | _Exhausted) -> bool:
        """Wait until the queue has room; return whether the consumer still listens."""
        while not self.stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def consume(self) -> Iterator[_Item]:
        """Yield the items, in the thread of the consumer."""
        while True:
            try:
                item = self._queue.get(timeout=_POLL_S)  # without a timeout, Windows does not notice Ctrl-C
            except queue.Empty:
                continue
            if isinstance(item, _Exhausted):
                if item.error is not None:
                    raise item.error
                return
            yield item
