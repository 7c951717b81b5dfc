"""The audio files of a manifest: which items each holds, and what identifies its content."""

from __future__ import annotations

import hashlib
import stat
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from abxfast.audio import AudioInfo, check_whole
from abxfast.errors import AudioError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator
    from pathlib import Path

    from abxfast.audio import SnippetPlan
    from abxfast.encoders import EncoderInfo
    from abxfast.manifest import Item, Manifest

CHUNK_BYTES = 1 << 20
"""Bytes of a file to hash between two yields."""


class AudioFile(NamedTuple):
    """An audio file and the items of a manifest that it holds.

    Attributes
    ----------
    path : Path
    items : list of Item
    info : AudioInfo or None
        ``None`` if the header cannot be read.
    problem : str or None
        Why the header cannot be read.
    """

    path: Path
    items: list[Item]
    info: AudioInfo | None
    problem: str | None

    @property
    def duration_s(self) -> float:
        """Duration according to the header, 0 if it cannot be read."""
        return self.info.duration_s if self.info else 0.0

    def find_problem(self, item: Item, plan: SnippetPlan, encoder: EncoderInfo) -> str | None:
        """Return why an item cannot be cut under a plan and encoded, as far as the header tells."""
        if plan.length_s is not None:
            return None
        end_s = item.end_s if item.end_s is not None or self.info is None else self.info.duration_s
        if end_s is None:
            return None
        length_s = end_s - (item.start_s or 0.0)
        reason = encoder.describe_too_long(length_s)
        too_long = f"{length_s:.1f} s long, but {reason}; split it into rows with start_s and end_s" if reason else None
        return check_whole(length_s) or too_long


def group_by_file(manifest: Manifest, probe: Callable[[Path], AudioInfo]) -> list[AudioFile]:
    """Group the items of a manifest by audio file, and read the header of each with `probe`."""
    items: dict[Path, list[Item]] = defaultdict(list)
    for item in manifest.items:
        items[item.path].append(item)
    files = []
    for path, items_of_file in items.items():
        info, problem = None, None
        try:
            info = probe(path)
        except AudioError as error:
            problem = str(error)
        files.append(AudioFile(path, items_of_file, info, problem))
    return files


def file_status(path: Path) -> os.stat_result:
    """Return the status of a file.

    Raises
    ------
    AudioError
        If the file cannot be read, or is not a regular file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):  # a pipe would wait forever, a device never end
        raise AudioError(f"{path}: is not a regular file; copy what it holds into one")
    return status


def hash_file(path: Path) -> Generator[None, None, str]:
    """Return the SHA-256 of a file; yields now and then, since a large one takes its time.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                yield None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
