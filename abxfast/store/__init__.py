"""The store: a folder of Parquet files, one row for each snippet, that survives crashes and can always be extended.

Any number of processes may add to a store at once. It also keeps the manifest's rows, so that the metadata stay with
the vectors, and reads in pandas, Polars and DuckDB.
"""

from abxfast.store.compaction import compact
from abxfast.store.entries import EntryState, StoreEntry
from abxfast.store.store import Row, Snippets, Store, create_store, open_store
from abxfast.store.writer import StoreWriter

__all__ = [
    "EntryState",
    "Row",
    "Snippets",
    "Store",
    "StoreEntry",
    "StoreWriter",
    "compact",
    "create_store",
    "open_store",
]
