"""Audio files by name, in whichever Unicode form the file system spells them."""

from __future__ import annotations

import unicodedata
from pathlib import Path


class FileIndex:
    """Find the files that a table names, relative to a folder.

    A table is read in NFC; a file whose name is spelled in another Unicode form, such as NFD, is found too.

    Parameters
    ----------
    root : Path
        The folder that names are relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._spellings: dict[Path, dict[str, str]] = {}

    def find(self, name: str) -> Path | None:
        """Return the path of the file with this name; ``None`` if there is none."""
        try:
            return self._find(name)
        except OSError:  # such as a name that is too long for the system
            return None

    def _find(self, name: str) -> Path | None:
        path = self.root / name
        if path.is_file():
            return path
        path = self.root
        for part in Path(name).parts:
            spelling = part if (path / part).exists() else self._spellings_in(path).get(part)
            if spelling is None:
                return None
            path /= spelling
        return path if path.is_file() else None

    def _spellings_in(self, folder: Path) -> dict[str, str]:
        """Return the names in a folder as the file system spells them, by their NFC form."""
        if folder not in self._spellings:
            try:
                names = [entry.name for entry in folder.iterdir()]
            except OSError:
                names = []
            self._spellings[folder] = {unicodedata.normalize("NFC", name): name for name in names}
        return self._spellings[folder]
