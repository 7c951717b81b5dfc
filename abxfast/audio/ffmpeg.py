"""Recordings that ffmpeg decodes: m4a, mp4, wma and the like, streamed through a pipe."""

from __future__ import annotations

import json
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from abxfast.audio.child_process import PipedProgram, StalledError, run_program
from abxfast.audio.formats import conversion_command
from abxfast.audio.timed_file import DEFAULT_TIMEOUT_S
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,flv,mpeg,mpegts,mpegvideo,ogg,rm,aac,ac3,eac3,amr,amrnb,amrwb,ape,"
    "dts,dtshd,mp3,mpc,mpc8,tta,wv,wav,w64,flac,aiff,caf,au"
)
"""Containers that ffmpeg may read: no playlists, which would open other files."""
_ESTIMATED_DURATION = ("aac", "ac3", "eac3", "amr", "amrnb", "amrwb", "dts", "dtshd", "mp3", "mpeg", "mpegts")
"""Containers that declare no duration, so that ffmpeg estimates it."""
_INSTALLATION = {"darwin": "brew install ffmpeg", "win32": "winget install ffmpeg", "linux": "apt install ffmpeg"}
_SAMPLE = np.dtype("<f4")


class FfmpegFile:
    """A recording that ffmpeg decodes, with those attributes of `soundfile.SoundFile` that decoding needs.

    ffmpeg runs from the first `read_block` on. It may open no other file, and whatever it reports as an error is one
    here: on a damaged file it would leave out what it cannot decode.

    Parameters
    ----------
    path : Path
    timeout_s : float
        Seconds that opening it, and reading each block, may take.

    Attributes
    ----------
    samplerate, channels : int
    frames : int
        Samples a channel that the file declares; −1 if it declares none.
    format, subtype : str
        Container, by its suffix, and codec.
    extra_info : str
        Empty.

    Raises
    ------
    AudioError
        If ffmpeg is not installed, or finds no audio in the file, or several tracks.
    """

    extra_info = ""

    is_end_marked = True
    """Whether the file says where it ends."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._program: PipedProgram | None = None
        stream, container = _probe(path, timeout_s)
        self.samplerate, self.channels = int(stream.get("sample_rate", 0)), int(stream.get("channels", 0))
        if not (self.samplerate and self.channels):
            raise _not_decodable(path, "its rate or its channels are unknown")
        self.format = path.suffix[1:].upper()
        self.subtype = str(stream.get("codec_name", "of an unknown codec"))
        declared_s = _declared_s(stream, container)
        self.frames = -1 if declared_s is None else round(declared_s * self.samplerate)

    def __enter__(self) -> Self:
        """Return the recording."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop ffmpeg if it runs."""
        if self._program is not None:
            self._program.close()

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
            If ffmpeg reports an error, or hangs.
        """
        n_bytes = n_frames * self.channels * _SAMPLE.itemsize
        try:
            if self._program is None:
                output = ("-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1")
                self._program = PipedProgram(
                    [*_command("ffmpeg", self._path, "-nostdin", "-xerror", "-err_detect", "crccheck"), *output],
                    self._timeout_s,
                )
            content = self._program.read(n_bytes)
            if len(content) < n_bytes:
                status = self._program.finish()
                if status or self._program.messages:
                    raise self._failed(position, len(content), status, self._program.messages)
        except StalledError as error:
            raise _stalled("ffmpeg", self._path, self._timeout_s) from error
        return np.frombuffer(content, _SAMPLE).astype(np.float32).reshape(-1, self.channels)

    def _failed(self, position: int, n_bytes: int, status: int, messages: list[str]) -> AudioError:
        reason = _first_line(messages, self._path) or f"status {status}"
        position_s = (position + n_bytes // (_SAMPLE.itemsize * self.channels)) / self.samplerate
        return AudioError(
            f"{self._path}: is damaged or cut short: ffmpeg fails after {position_s:.1f} s ({reason}); "
            f"copy it again, or save what is left: {conversion_command(self._path, '-whole')}"
        )


def ffmpeg_version() -> str | None:
    """Return the version of ffmpeg; ``None`` if it is not installed."""
    program = shutil.which("ffmpeg")
    if program is None or shutil.which("ffprobe") is None:
        return None
    try:
        words = run_program([program, "-version"], DEFAULT_TIMEOUT_S).stdout.decode(errors="replace").split()
    except (OSError, StalledError):
        return None
    return words[2] if len(words) > 2 else None  # noqa: PLR2004


def _probe(path: Path, timeout_s: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what ffprobe says of the audio track and of the container."""
    entries = (
        "stream=codec_name,sample_rate,channels,duration:stream_tags=DURATION:format=format_name,duration,nb_streams"
    )
    command = [*_command("ffprobe", path, "-show_entries", entries, "-select_streams", "a", "-of", "json")]
    try:
        done = run_program(command, timeout_s)
    except StalledError as error:
        raise _stalled("ffprobe", path, timeout_s) from error
    if done.returncode:
        reason = _first_line(done.stderr.decode(errors="replace").splitlines(), path) or f"status {done.returncode}"
        raise _not_decodable(path, reason)
    found = json.loads(done.stdout)
    streams = found.get("streams", [])
    if len(streams) != 1:
        track = conversion_command(path, "-1").replace('" "', '" -map 0:a:0 "')
        raise AudioError(
            f"{path}: has {len(streams)} audio tracks, expected one; save the one that you want: {track}"
            if streams
            else f"{path}: has no audio track; leave it out"
        )
    return streams[0], found.get("format", {})


def _command(name: str, path: Path, *options: str) -> list[str]:
    """Return the beginning of a command that opens a file, and nothing else, and reports errors only."""
    program = shutil.which(name)
    if program is None:
        install = _INSTALLATION.get(sys.platform, "see https://ffmpeg.org")
        raise AudioError(
            f"{path}: {path.suffix[1:].lower()} is decoded by ffmpeg, but {name} is not installed; install it "
            f"({install}), or convert the file elsewhere: {conversion_command(path)}"
        )
    limits = ("-protocol_whitelist", "file", "-format_whitelist", _CONTAINERS)
    return [program, "-v", "error", *options, *limits, "-i", f"file:{path.absolute()}"]


def _declared_s(stream: dict[str, Any], container: dict[str, Any]) -> float | None:
    """Return the duration of the audio track that the file declares, in seconds; ``None`` if it declares none."""
    if container.get("format_name") in _ESTIMATED_DURATION:
        return None
    clock = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.get("tags", {}).get("DURATION", ""))
    if clock:
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3])
    if "duration" in stream:
        return float(stream["duration"])
    # The duration of the container may be that of a video.
    return float(container["duration"]) if "duration" in container and container.get("nb_streams") == 1 else None


def _first_line(messages: list[str], path: Path) -> str:
    """Return the first message of ffmpeg without the name of its part, the address and the path that precede it."""
    line = next((line.strip() for line in messages if line.strip()), "")
    line = re.sub(r"^\[[^\]]*\] | 'mov,mp4,.*'", "", line)  # the second is the list of containers that it may read
    return line.removeprefix(f"file:{path.absolute()}: ")


def _not_decodable(path: Path, reason: str) -> AudioError:
    return AudioError(
        f"{path}: is damaged, cut short or not audio that ffmpeg can decode ({reason}); "
        f"copy it again, or try {conversion_command(path, '-whole')}"
    )


def _stalled(program: str, path: Path, timeout_s: float) -> AudioError:
    return AudioError(
        f"{path}: is given up: {program} gave nothing for {timeout_s:g} s; check the file and its drive, or raise "
        "`timeout_s`"
    )
