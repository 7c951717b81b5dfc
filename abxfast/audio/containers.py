"""Containers: what kind of file a recording is, by its first bytes, before any decoder sees it.

Only containers are let in whose completeness can be checked: they declare their length, or end with a mark. libsndfile
reads others too, accepts them cut in half, and prints to stdout about some damaged ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.audio.formats import HEADERLESS_FORMATS, conversion_command
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

_GSM_FRAME_BYTES = 33
_GSM_MARK = 0xD
"""Upper half of the first byte of each frame of GSM 06.10."""
_MAX_ID3_TAGS = 8
_ID3_HEADER_BYTES = 10

_CHECKED = (
    *((b"RIFF", b"WAVE"), (b"RIFX", b"WAVE"), (b"RF64", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC")),
    *((b"FORM", b"8SVX"), (b"FORM", b"16SV")),
    *((magic, b"") for magic in (b"riff\x2e\x91\xcf\x11", b".snd", b"dns.", b"caff", b"NIST_1A", b"fLaC", b"OggS")),
    (b"Creative Voice File", b""),
)
"""First bytes of a file, and its bytes 8 to 12."""
_UNCHECKED = (
    *((b"\xf0\x7e", "MIDI sample dump"), (b"2BIT", "AVR"), (b"PVF1", "PVF"), (b" paf", "PAF"), (b"fap ", "PAF")),
    *((b"Extended Instrument:", "XI"), (b"MATLAB", "MATLAB"), (b"ALawSoundFile**", "WVE"), (b"\x01\x04", "MPC 2000")),
    *((bytes((0, code, 0xA3, 0x64)), "IRCAM") for code in range(1, 5)),
    *((bytes((0x64, 0xA3, code, 0)), "IRCAM") for code in range(1, 5)),
    *((bytes(4) + bytes((1, 0, 0, 0)), "MATLAB"), (b"\x00\x00\x03\xe8\x00\x00\x00\x01", "MATLAB")),
)
"""First bytes of what libsndfile reads, but whose completeness cannot be checked."""
CHECKED_FORMATS = frozenset(
    ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "SVX", "NIST", "VOC", "FLAC", "OGG", "MP3", "RAW")
)
"""libsndfile's names of the containers that are let in; RAW is GSM 06.10 only."""


def check_container(path: Path) -> str:
    """Check that a file is a recording whose completeness can be checked; return ``MP3``, ``OGG`` or ``other``.

    Raises
    ------
    AudioError
        If it is of a container that is not let in, or no recording.
    """
    if path.suffix.lower() in HEADERLESS_FORMATS:
        _check_gsm(path)
        return "other"
    with path.open("rb") as file:
        head = file.read(32)
        for _ in range(_MAX_ID3_TAGS):
            if not head.startswith(b"ID3"):
                break
            file.seek(id3_bytes(head) - len(head), 1)
            head = file.read(32)
    if _is_mpeg(head):
        return "MP3"
    if any(head.startswith(magic) and head[8:12].startswith(form) for magic, form in _CHECKED):
        return "OGG" if head.startswith(b"OggS") else "other"
    for magic, name in _UNCHECKED:
        if head.startswith(magic):
            raise AudioError(
                f"{path}: is {name}, which does not tell whether it is complete; "
                f"convert it first: {conversion_command(path)}"
            )
    reasons = {".mp3": "no MPEG audio in it", ".raw": "no header that says its samplerate"}
    raise AudioError(
        f"{path}: is not audio that can be decoded ({reasons.get(path.suffix.lower(), 'format not recognised')}); "
        f"copy it again, or convert it: {conversion_command(path, '-whole')}"
    )


def id3_bytes(head: bytes) -> int:
    """Return the size of the ID3v2 tag that begins with `head`; its size has seven bits a byte."""
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
    return _ID3_HEADER_BYTES + size


def _is_mpeg(head: bytes) -> bool:
    """Return whether a file begins with a frame of MPEG audio: a sync word, and no reserved layer, rate or version."""
    return (
        len(head) >= 4  # noqa: PLR2004
        and head[0] == 0xFF  # noqa: PLR2004
        and head[1] & 0xE0 == 0xE0  # noqa: PLR2004
        and head[1] >> 3 & 3 != 1
        and head[1] >> 1 & 3 != 0
        and head[2] >> 4 not in (0, 15)
        and head[2] >> 2 & 3 != 3  # noqa: PLR2004
    )


def _check_gsm(path: Path) -> None:
    """Check a GSM 06.10 file without a header: whole frames, each with its mark."""
    with path.open("rb") as file:
        at = 0
        while frames := file.read(_GSM_FRAME_BYTES << 12):
            marks = frames[::_GSM_FRAME_BYTES]
            unmarked = next((at + i for i, mark in enumerate(marks) if mark >> 4 != _GSM_MARK), None)
            if unmarked is not None:
                raise AudioError(
                    f"{path}: is damaged or no GSM 06.10: its frame {unmarked} does not begin as one; "
                    f"copy it again, or convert it: {conversion_command(path)}"
                )
            if len(frames) % _GSM_FRAME_BYTES:
                raise AudioError(
                    f"{path}: is cut short: its last frame is incomplete; "
                    f"copy it again, or save what is left: {conversion_command(path, '-whole')}"
                )
            at += len(marks)
