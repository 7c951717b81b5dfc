"""Opening a store, and creating one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from abxfast._files import TEMPORARY_PREFIX
from abxfast.errors import StoreError
from abxfast.store.header import HEADER_NAME, read_header, write_header
from abxfast.store.lock import LOCK_NAME, lock_folder
from abxfast.store.store import Store

if TYPE_CHECKING:
    from abxfast.encoders import Encoder

_IGNORED_NAMES = (LOCK_NAME, ".DS_Store", "Thumbs.db", "desktop.ini")
"""Files in a folder that still counts as empty, besides temporary ones."""


def is_store(path: Path) -> bool:
    """Return whether there is a store at `path`; it may still be damaged."""
    return (path / HEADER_NAME).exists()


def open_store(root: str | Path) -> Store:
    """Open a store.

    Raises
    ------
    StoreError
        If there is none, or if it is damaged.
    """
    root = Path(root)
    return Store(root, read_header(root))


def create_store(root: Path, encoder: Encoder) -> Store:
    """Open the store at `root` for an encoder; create it if it does not exist.

    Raises
    ------
    StoreError
        If the store is that of another encoder, or the folder holds something else.
    """
    try:
        exists = is_store(root)
        occupied = not exists and root.exists() and (not root.is_dir() or any(map(_is_content, root.iterdir())))
    except OSError as error:
        raise StoreError(f"{root}: cannot be read ({error.strerror})") from error
    if occupied:
        raise StoreError(f"{root}: exists and is not a store; choose a new folder for `store`")
    if not exists:
        with lock_folder(root):
            if not is_store(root):  # another process may have created it meanwhile, for another encoder
                write_header(root, encoder)
    store = open_store(root)
    if store.encoder_sha256 != encoder.sha256:
        other = "another file of this name" if store.encoder == encoder.info.name else f"{store.encoder!r}"
        raise StoreError(
            f"{root}: was made by another encoder: found {other}, asked for {encoder.info.name!r}; "
            "one store holds one encoder, choose a new folder for `store`"
        )
    return store


def _is_content(path: Path) -> bool:
    return path.name not in _IGNORED_NAMES and not path.name.startswith(TEMPORARY_PREFIX)
