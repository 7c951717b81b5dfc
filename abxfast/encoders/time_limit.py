"""A limit on the time that onnxruntime takes for one call."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_POLL_S = 1.0
_MAX_IDLE_POLLS = 10
"""Looks without any call, after which the thread ends."""


class TimeLimit:
    """Ends calls that take too long, each between two operators, from one thread that watches all calls.

    Parameters
    ----------
    seconds : float
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._deadlines: dict[int, tuple[float, Any]] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @contextlib.contextmanager
    def watch(self, options: Any) -> Iterator[None]:
        """Set ``options.terminate``, of an ``onnxruntime.RunOptions``, if the block takes too long."""
        with self._lock:
            self._deadlines[id(options)] = (time.monotonic() + self.seconds, options)
            if self._thread is None:
                self._stopped = threading.Event()
                self._thread = threading.Thread(
                    target=self._poll, args=(self._stopped,), name="time limit", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._deadlines[id(options)]

    def stop(self) -> None:
        """End the thread; the next call starts one again."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stopped.set()
        if thread is not None:
            thread.join()

    def _poll(self, stopped: threading.Event) -> None:
        n_idle = 0
        while not stopped.wait(min(_MAX_POLL_S, self.seconds / 4)):
            with self._lock:
                now = time.monotonic()
                for deadline, options in self._deadlines.values():
                    if now > deadline:
                        options.terminate = True
                n_idle = 0 if self._deadlines else n_idle + 1
                if n_idle > _MAX_IDLE_POLLS and not stopped.is_set():
                    self._thread = None
                    return
