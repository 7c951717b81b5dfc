"""Audio formats: which file names are recordings, which of these libsndfile decodes, and how to convert the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = frozenset(
    (
        *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff"),
        *(".aifc", ".au", ".snd", ".caf", ".gsm", ".nist", ".sph", ".voc", ".svx", ".iff"),
    )
)
"""Suffixes of file names that count as audio when a folder is searched, in lower case."""

FFMPEG_SUFFIXES = frozenset(
    (
        *(".m4a", ".m4b", ".m4r", ".m4v", ".mp4", ".aac", ".wma", ".wmv", ".asf", ".mov", ".mkv", ".mka", ".webm"),
        *(".avi", ".flv", ".f4v", ".mpg", ".mpeg", ".vob", ".mts", ".m2ts", ".amr", ".awb", ".3gp", ".3g2", ".ape"),
        *(".wv", ".tta", ".mpc", ".ra", ".rm", ".ac3", ".eac3", ".dts", ".spx"),
    )
)
"""Suffixes of recordings that libsndfile cannot decode, and ffmpeg can; searches find them as well."""

UNVERIFIABLE_SUFFIXES = frozenset((".sds", ".avr", ".ircam", ".sf", ".paf", ".pvf", ".sd2", ".xi", ".wve", ".htk"))
"""Suffixes of recordings of which nobody can tell whether they are complete: found too, and named."""

HEADERLESS_FORMATS: dict[str, dict[str, str | int]] = {
    ".gsm": {"format": "RAW", "subtype": "GSM610", "samplerate": 8_000, "channels": 1}
}
"""Parameters that libsndfile needs for files without a header, by suffix."""


def conversion_command(path: Path, stem_suffix: str = "") -> str:
    """Return the command that converts a recording to a WAV file beside it, `stem_suffix` appended to its stem."""
    return f'ffmpeg -i "{path.name}" "{path.stem}{stem_suffix}.wav"'
