"""What is under way, written down, so that a crash in native code names its recording and does not happen again.

A decoder or an encoder is C code: a damaged file may end the whole process. While recordings are embedded, the store
has a file in its folder ``running`` to which is appended what each thread works on. If the process crashes, Python's
faulthandler writes into another one which thread did. A process that was killed, by a user or for memory, leaves no
such report, and nothing is skipped then.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
import secrets
import threading
import time
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from abxfast._files import STALE_S, remove

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FOLDER_NAME = "running"
_CRASH_SUFFIX = ".crash"
_CRASH = re.compile(r"^(?:Fatal Python error|Windows fatal exception): (?P<what>.+)$", re.MULTILINE)
_THREAD = re.compile(r"^Current thread (?P<thread>0x[0-9a-f]+)", re.MULTILINE)


class FileState(NamedTuple):
    """A recording as it was: its path relative to the folder of the store, its size and modification time."""

    path: str
    size: int
    mtime_ns: int


class Crash(NamedTuple):
    """A crash of an earlier run: what happened, and the file that says so."""

    what: str
    log: Path


class CrashLog:
    """The log of one process, in a ``with`` block.

    Parameters
    ----------
    folder : Path
        The folder ``running`` of the store; it exists only while there is something in it.

    Attributes
    ----------
    crashes : dict of FileState to Crash
        What earlier runs crashed on.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.log"
        self._crash_path = self._path.with_suffix(_CRASH_SUFFIX)
        self._file: IO[bytes] | None = None
        self._crash_file: IO[bytes] | None = None
        self.crashes = _read_crashes(folder)

    def __enter__(self) -> Self:
        """Open the files, and have crashes of this process noted unless it notes them elsewhere already."""
        with contextlib.suppress(OSError):  # a disk that is full or read-only: then without a log
            self._path.parent.mkdir(exist_ok=True)
            if not faulthandler.is_enabled():
                # In a file of its own: the other threads go on writing theirs in the middle of its lines.
                self._crash_file = self._crash_path.open("wb", buffering=0)
                faulthandler.enable(self._crash_file)  # of all threads: only then does it say which one crashed
                self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        if self._crash_file:
            faulthandler.disable()
            self._crash_file.close()
            remove(self._crash_path)
        if self._file:
            self._file.close()
            remove(self._path)
        with contextlib.suppress(OSError):  # others are at work, or there was a crash
            self._path.parent.rmdir()

    @contextlib.contextmanager
    def working(self, states: Sequence[FileState]) -> Iterator[None]:
        """Note that this thread works on recordings until the block is left."""
        thread = f"0x{threading.get_ident():016x}"
        self._append({"thread": thread, "files": states})
        try:
            yield
        finally:
            self._append({"thread": thread, "files": []})

    def _append(self, line: object) -> None:
        if self._file:
            with contextlib.suppress(OSError):
                self._file.write(f"{json.dumps(line)}\n".encode())


def _read_crashes(folder: Path) -> dict[FileState, Crash]:
    """Return what earlier runs crashed on; remove logs of processes that were killed long ago."""
    crashes: dict[FileState, Crash] = {}
    for path in sorted(folder.glob("*.log")):
        crash_path = path.with_suffix(_CRASH_SUFFIX)
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
            report = crash_path.read_text(encoding="utf-8", errors="replace") if crash_path.exists() else ""
            is_old = time.time() - path.stat().st_mtime > STALE_S
        except OSError:
            continue
        crash = _CRASH.search(report)
        if crash:
            crashes |= dict.fromkeys(_under_way(text, report), Crash(crash["what"], crash_path))
        elif is_old or not crash_path.exists():  # killed long ago, or the report was deleted to try again
            remove(path)
            remove(crash_path)
    return crashes


def _under_way(text: str, report: str) -> list[FileState]:
    """Return what the thread that crashed was working on; if it cannot be told, what any was."""
    files: dict[str, list[FileState]] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            files[entry["thread"]] = [FileState(*state) for state in entry["files"]]
    thread = _THREAD.search(report)
    if thread and files.get(thread["thread"]):
        return files[thread["thread"]]
    return [state for states in files.values() for state in states]
