"""Reading back what was written to a store, before success is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.errors import StoreError
from abxfast.store import parquet

if TYPE_CHECKING:
    from collections.abc import Collection

    from abxfast.store.store import Store

_MAX_ATTEMPTS = 20
"""Listings to try, since another process may merge parts between the listing and the reading."""


def check_written(store: Store, keys: Collection[str]) -> None:
    """Read back the header, all footers, and the parts of some entries.

    Parameters
    ----------
    store : Store
    keys : collection of str
        Keys of entries that must be complete.

    Raises
    ------
    StoreError
        If the store was deleted or changed, or if something of these entries is missing or damaged.
    """
    for _ in range(_MAX_ATTEMPTS):
        store.check_header()
        store.refresh()
        missing = [key for key in keys if key not in store.entries or not store.entries[key].complete]
        if missing:
            raise StoreError(
                f"{store.root}: {len(missing)} of {len(keys)} entries just written are gone (was a file deleted?); "
                "run `abxfast.embed` again"
            )
        try:
            for part in store.parts.values():
                if not part.keys.isdisjoint(keys):
                    parquet.read_columns(part.path)
        except FileNotFoundError:  # merged by another process since the last refresh
            continue
        return
    raise StoreError(f"{store.root}: its parts keep changing; run `abxfast.embed` again")
