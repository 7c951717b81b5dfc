"""Manifest: the list of recordings and their metadata.

A manifest is read from a table (CSV or a spreadsheet, with one row for each recording or each stretch of one), or made
from the audio files in folders. Every error names the file and the line.
"""

from abxfast.manifest.folders import scan_recordings
from abxfast.manifest.items import Item, Manifest
from abxfast.manifest.load import load_manifest
from abxfast.manifest.table import read_manifest

__all__ = [
    "Item",
    "Manifest",
    "load_manifest",
    "read_manifest",
    "scan_recordings",
]
