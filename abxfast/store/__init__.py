"""The store: a folder of Parquet files with one row per snippet, which survives crashes and can always be extended.

Any number of processes may add to a store at once. It also keeps the rows of manifests, so that the metadata stay with
the vectors. pandas, Polars and DuckDB read the files as they are.
"""

from abxfast.store.compaction import compact
from abxfast.store.copies import find_byte_copies, warn_of_byte_copies
from abxfast.store.copying import EntryCopy, copy_entries
from abxfast.store.entries import EntryState, StoreEntry
from abxfast.store.forgetting import Forgotten, forget
from abxfast.store.opening import create_store, is_store, open_store
from abxfast.store.reading import LazyVectors, Snippets
from abxfast.store.store import SnippetRow, Store
from abxfast.store.verification import check_written
from abxfast.store.writer import StoreWriter

__all__ = [
    "EntryCopy",
    "EntryState",
    "Forgotten",
    "LazyVectors",
    "SnippetRow",
    "Snippets",
    "Store",
    "StoreEntry",
    "StoreWriter",
    "check_written",
    "compact",
    "copy_entries",
    "create_store",
    "find_byte_copies",
    "forget",
    "is_store",
    "open_store",
    "warn_of_byte_copies",
]
