"""A program whose output is read through a pipe, with its messages, and with an end if it hangs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_POLL_S = 0.5
_MAX_LINES = 20
"""Lines of a program's messages to keep."""


class StalledError(Exception):
    """A program gave nothing within its time limit, and was stopped."""


def run_program(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, and return its status, output and messages.

    Raises
    ------
    StalledError
        If it takes longer than `timeout_s`.
    OSError
        If it cannot be started.
    """
    try:
        return subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False, **_detached()
        )
    except subprocess.TimeoutExpired as error:
        raise StalledError from error


class PipedProgram:
    """A program that runs while its output is read.

    It is stopped by `close`, and if a reader waits for `timeout_s`. While nobody reads, it waits, for however long.

    Parameters
    ----------
    command : sequence of str
    timeout_s : float
        Seconds that a reader waits.

    Attributes
    ----------
    messages : list of str
        The first lines that it wrote to stderr; complete after `finish`.
    """

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.messages: list[str] = []
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **_detached()
        )
        self._waiting_since: float | None = None
        self._stalled = False
        self._closed = threading.Event()
        self._collector = threading.Thread(target=self._collect_messages, name="messages", daemon=True)
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._collector.start()
        self._watchdog.start()

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes of its output; fewer only at the end.

        Raises
        ------
        StalledError
            If it gives nothing for `timeout_s`.
        """
        pipe = self._process.stdout
        self._waiting_since = time.monotonic()
        content = pipe.read(n_bytes) if pipe else b""
        self._waiting_since = None
        if self._stalled:
            raise StalledError
        return content

    def finish(self) -> int:
        """Return its exit status, once its output has been read to the end.

        Raises
        ------
        StalledError
            If it does not end within `timeout_s`.
        """
        try:
            status = self._process.wait(self._timeout_s)
        except subprocess.TimeoutExpired as error:
            raise StalledError from error
        self._collector.join()
        return status

    def close(self) -> None:
        """Stop it if it still runs."""
        self._closed.set()
        self._process.kill()
        self._process.wait()
        self._collector.join()
        self._watchdog.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def _collect_messages(self) -> None:
        """Read stderr to its end, so that the program never waits for a reader of it; runs in a thread of its own."""
        for line in self._process.stderr or ():
            if len(self.messages) < _MAX_LINES:
                self.messages.append(line.decode(errors="replace"))

    def _watch(self) -> None:
        """Stop the program once a reader has waited for too long; runs in a thread of its own."""
        while not self._closed.wait(min(_POLL_S, self._timeout_s)):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._timeout_s:
                self._stalled = True
                with contextlib.suppress(OSError):
                    self._process.kill()
                return


def _detached() -> dict[str, Any]:
    """Return arguments of `subprocess.Popen` that keep Ctrl-C from a program, which `close` stops."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
