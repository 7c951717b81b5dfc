"""Manifests of folders: the audio files below them, named by their paths."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from abxfast._files import to_text
from abxfast.audio import FFMPEG_SUFFIXES, SUFFIXES, UNVERIFIABLE_SUFFIXES
from abxfast.errors import ManifestError
from abxfast.manifest.items import Item, Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence


def scan_recordings(paths: Sequence[Path]) -> Manifest:
    """Find the audio files in folders, their subfolders included, and among the files given.

    A recording is named by its path relative to the folder, with forward slashes on every system. Hidden files and
    folders are ignored.

    Parameters
    ----------
    paths : sequence of Path
        Folders and audio files.

    Returns
    -------
    Manifest
        An item for each audio file, without metadata.

    Raises
    ------
    ManifestError
        If a path does not exist or cannot be read, if a folder contains no audio, or if names are ambiguous: two
        recordings would have the same name, or one recording two names.
    """
    if not paths:
        raise ManifestError("no recordings given, expected a folder, audio files or one table")
    files_by_name: dict[str, tuple[Path, Path]] = {}
    name_by_file: dict[Path, str] = {}
    for root in paths:
        if not _exists(root):
            raise ManifestError(f"{root}: no such file or folder")
        base, files = (root, _audio_files(root)) if root.is_dir() else (root.parent, [root])
        if not files:
            raise ManifestError(f"{root}: no audio in this folder, expected wav, flac, mp3, ogg, aiff or the like")
        # Only the base is resolved: a link below it is the user's own way to name a recording.
        resolved_base = base.resolve()
        for file in files:
            resolved = resolved_base / file.relative_to(base)
            name = unicodedata.normalize("NFC", to_text(file.relative_to(base).as_posix()))
            if name_by_file.setdefault(resolved, name) != name:
                raise ManifestError(
                    f"{file}: is included twice, as {name_by_file[resolved]!r} and as {name!r}; pass its folder once"
                )
            first_resolved, first_file = files_by_name.setdefault(name, (resolved, file))
            if first_resolved != resolved:
                raise ManifestError(
                    f"{file}: has the same name, {name!r}, as {first_file}; "
                    "pass the folder that contains both, or a manifest"
                )
    items = tuple(Item(name, name, file, origin=str(file)) for name, (_, file) in files_by_name.items())
    return Manifest(items, names_from_paths=True)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # such as a name that is too long
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from error


def _audio_files(root: Path) -> list[Path]:
    """Return the audio files in a folder and its subfolders, sorted within each folder."""
    suffixes = SUFFIXES | FFMPEG_SUFFIXES | UNVERIFIABLE_SUFFIXES
    files = []
    for folder, subfolders, names in os.walk(root, onerror=_refuse_unreadable):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        files += [
            Path(folder, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    return files


def _refuse_unreadable(error: OSError) -> NoReturn:
    raise ManifestError(
        f"{error.filename}: cannot be read ({error.strerror}), and its recordings would be missing; "
        "check that you may read it"
    )
