"""A generator on a thread of its own."""

from __future__ import annotations

import queue
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_POLL_S = 0.2
_Message = TypeVar("_Message")


@contextmanager
def in_background(source: Generator[_Message | None, None, None], size: int) -> Iterator[Iterator[_Message]]:
    """Run a generator on a thread of its own, at most `size` messages ahead; what it raises is raised here.

    Leaving the ``with`` block stops it at its next message, and closes it on its own thread. A ``None`` is not passed
    on: a generator that is long at work without a message gives one now and then, so that it can be stopped.
    """
    feed = _Feed(source, size)
    thread = threading.Thread(target=feed.work, name="decode", daemon=True)
    thread.start()
    try:
        yield feed.messages()
    finally:
        feed.stop.set()
        thread.join()


class _End(NamedTuple):
    """The last thing that comes, and why."""

    error: BaseException | None


class _Feed(Generic[_Message]):
    """What the two threads share."""

    def __init__(self, source: Generator[_Message | None, None, None], size: int) -> None:
        self.stop = threading.Event()
        self._source = source
        self._box: queue.Queue[_Message | _End] = queue.Queue(size)

    def work(self) -> None:
        """Run the generator; on its own thread."""
        error: BaseException | None = None
        try:
            with closing(self._source):
                for message in self._source:
                    if self.stop.is_set() or not (message is None or self._put(message)):
                        return
        except BaseException as raised:  # noqa: BLE001  # handed to the other thread, which raises it
            error = raised
        self._put(_End(error))

    def _put(self, message: _Message | _End) -> bool:
        """Wait until there is room; say whether the other thread still listens."""
        while not self.stop.is_set():
            try:
                self._box.put(message, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def messages(self) -> Iterator[_Message]:
        """Give what comes; on the other thread."""
        while True:
            try:
                message = self._box.get(timeout=_POLL_S)  # without it, Ctrl-C is not heard on Windows
            except queue.Empty:
                continue
            if isinstance(message, _End):
                if message.error is not None:
                    raise message.error
                return
            yield message
