"""Files: written atomically, removed quietly, named relative to a folder; and tables as delimited text.

Shared by all packages that write: stores, results, figures and reports.
"""

from abxfast._files.atomic import (
    STALE_S,
    TEMPORARY_PREFIX,
    atomic_file,
    is_disk_full,
    remove,
    remove_stale,
    write_atomic,
)
from abxfast._files.delimited import format_csv
from abxfast._files.names import json_digest, relative_path, to_printable, to_text

__all__ = [
    "STALE_S",
    "TEMPORARY_PREFIX",
    "atomic_file",
    "format_csv",
    "is_disk_full",
    "json_digest",
    "relative_path",
    "remove",
    "remove_stale",
    "to_printable",
    "to_text",
    "write_atomic",
]
