"""The manifest: the list of recordings and their metadata.

A manifest is read from a table that a linguist wrote (CSV, with one row for each recording or each stretch of one), or
made from the audio files found in folders. Every message names the file and the line.
"""

from abxfast.manifest.table import Item, Manifest, load_manifest, read_manifest, scan_recordings

__all__ = [
    "Item",
    "Manifest",
    "load_manifest",
    "read_manifest",
    "scan_recordings",
]
