"""Opening recordings, with libsndfile or ffmpeg: only what can be checked, from start to end, in limited time."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import soundfile

from abxfast._files import describe_kind
from abxfast.audio.containers import CHECKED_FORMATS, check_container
from abxfast.audio.ffmpeg import FfmpegFile
from abxfast.audio.formats import FFMPEG_SUFFIXES, HEADERLESS_FORMATS, UNVERIFIABLE_SUFFIXES, conversion_command
from abxfast.audio.integrity import check_header
from abxfast.audio.mp3 import UnboundedFile, declares_length
from abxfast.audio.ogg import check_ogg
from abxfast.audio.timed_file import TimedFile
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_UNKNOWN_FORMAT, _NOT_MPEG = 1, 7
"""libsndfile's codes for a format that it does not know, and for an ``.mp3`` that is none (with misleading words)."""


class SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its start to its end.

    soundfile seeks after every read of a file that is seekable. An MP3 decoder loses its state when it seeks, so that
    each block would start with a click; a FLAC of unknown length and some AIFF files cannot seek at all.
    """

    is_end_marked = True
    """Whether the file says where it ends."""

    def __init__(self, path: Path, file: TimedFile, timeout_s: float) -> None:
        self._path = path
        self._timed = file
        self._timeout_s = timeout_s
        file.allow(timeout_s)
        try:
            super().__init__(file, **HEADERLESS_FORMATS.get(path.suffix.lower(), {}))
        finally:
            self._raise_kept()  # what libsndfile says of a file that ended too early does not matter

    def seekable(self) -> bool:
        """Return False: soundfile then never seeks."""
        return False

    def read_block(self, n_frames: int, position: int) -> NDArray[np.float32]:
        """Read the next samples, float32 of shape (n_frames, channels); fewer only at the end.

        Parameters
        ----------
        n_frames : int
        position : int
            Samples a channel that were read before, for messages.

        Raises
        ------
        AudioError
            If they cannot be decoded, or not within the time limit.
        """
        self._timed.allow(self._timeout_s)
        try:
            block: NDArray[np.float32] = self.read(n_frames, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            self._raise_kept()
            start_s, stop_s = position / self.samplerate, (position + n_frames) / self.samplerate
            raise AudioError(
                f"{self._path}: is damaged or cut short: decoding fails between {start_s:.1f} and {stop_s:.1f} s "
                f"({_reason(error)}); copy it again, or save what is left: {conversion_command(self._path, '-whole')}"
            ) from error
        self._raise_kept()
        return block

    def _raise_kept(self) -> None:
        """Raise what ended the file while libsndfile was reading it."""
        error = self._timed.error
        if isinstance(error, TimeoutError):
            raise AudioError(
                f"{self._path}: is given up: decoding took longer than {self._timeout_s:g} s; check the file and its "
                "drive, or raise `timeout_s`"
            ) from error
        if isinstance(error, OSError):
            raise AudioError(
                f"{self._path}: cannot be read ({error.strerror}); copy it again from its source"
            ) from error
        if error is not None:
            raise error


@contextmanager
def open_sound(path: Path, timeout_s: float) -> Iterator[SequentialFile | FfmpegFile]:
    """Open a recording, and check what is known about it before it is decoded.

    Parameters
    ----------
    path : Path
    timeout_s : float
        Seconds that opening it, and reading each block, may take.

    Raises
    ------
    AudioError
        If it is no recording that can be decoded and checked, or if it is cut short.
    """
    _check_file(path)
    if kind := describe_kind(path):
        what, remedy = kind
        raise AudioError(f"{path}: is {what}, not audio; {remedy}")
    suffix = path.suffix.lower()
    if suffix in UNVERIFIABLE_SUFFIXES:
        raise _unverifiable(path, suffix[1:])
    if suffix in FFMPEG_SUFFIXES:
        with FfmpegFile(path, timeout_s) as recording:
            check_header(recording, path)
            recording.is_end_marked = suffix != ".spx" or check_ogg(path)
            yield recording
        return
    with ExitStack() as stack:
        try:
            container = check_container(path)
            is_end_marked = check_ogg(path) if container == "OGG" else True
            is_unbounded = container == "MP3" and not declares_length(path)
            file = stack.enter_context(UnboundedFile(path) if is_unbounded else TimedFile(path))
            sound = stack.enter_context(SequentialFile(path, file, timeout_s))
        except OSError as error:
            raise AudioError(f"{path}: cannot be read ({error.strerror}); copy it again from its source") from error
        except (soundfile.SoundFileError, TypeError) as error:
            is_audio = getattr(error, "code", 0) not in (_UNKNOWN_FORMAT, _NOT_MPEG)
            problem = "is damaged, cut short or not audio" if is_audio else "is not audio"
            raise AudioError(
                f"{path}: {problem} that can be decoded ({_reason(error)}); "
                f"copy it again, or convert it: {conversion_command(path, '-whole')}"
            ) from error
        if sound.format not in CHECKED_FORMATS:
            raise _unverifiable(path, sound.format)
        check_header(sound, path)
        sound.is_end_marked = is_end_marked
        yield sound


def _unverifiable(path: Path, name: str) -> AudioError:
    return AudioError(
        f"{path}: is {name}, which does not tell whether it is complete; convert it first: {conversion_command(path)}"
    )


def _check_file(path: Path) -> None:
    """Check that a file can be read and is not empty."""
    try:
        if path.exists() and not path.is_file():  # a pipe would wait forever, a device never end
            raise AudioError(f"{path}: is not a regular file; copy what it holds into one")
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file; check its name and folder") from None
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror}); check that it is a file and that you may read it"
        ) from error
    if size == 0:
        raise AudioError(f"{path}: is empty (0 bytes); copy it again from its source")


def _reason(error: Exception) -> str:
    """Return libsndfile's own words without the path, which the message begins with."""
    if getattr(error, "code", 0) == _NOT_MPEG:
        return "no MPEG audio in it"
    text = getattr(error, "error_string", None) or str(error)
    return text.strip().rstrip(".")
