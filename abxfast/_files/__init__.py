"""Files: written atomically, removed quietly, named relative to a folder, known by kind; tables as delimited text.

Shared by all packages that read or write files.
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
from abxfast._files.delimited import escape_formula, format_csv, unescape_formula
from abxfast._files.kinds import describe_kind
from abxfast._files.names import json_digest, relative_path, to_printable, to_text
from abxfast._files.scratch import allocate

__all__ = [
    "STALE_S",
    "TEMPORARY_PREFIX",
    "allocate",
    "atomic_file",
    "describe_kind",
    "escape_formula",
    "format_csv",
    "is_disk_full",
    "json_digest",
    "relative_path",
    "remove",
    "remove_stale",
    "to_printable",
    "to_text",
    "unescape_formula",
    "write_atomic",
]
