"""Recordings of noise, and what the store made from them holds."""

import os

import numpy as np
import pyarrow.dataset
import soundfile

from abxfast.store import open_store

RATE_HZ = 16_000
VARIANTS = ("mfcc.max", "mfcc.mean", "mfcc.std")


def write_noise(path, seconds, *, seed=0, rate_hz=RATE_HZ, channels=1, age_s=60):
    """Write noise; a minute old, so that its modification time can be trusted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * rate_hz), channels))
    soundfile.write(path, wave, rate_hz, subtype="PCM_16")
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - round(age_s * 1e9)))
    return path


def read_content(root):
    """Everything a store says of its snippets, as plain data: equal if stores are equal, bit for bit."""
    store = open_store(root)
    content = {}
    for length_s in store.lengths():
        for variant in store.variants:
            snippets = store.read(length_s, variant)
            content[length_s, variant] = (
                snippets.items,
                snippets.recordings,
                snippets.start_s.tobytes(),
                snippets.end_s.tobytes(),
                snippets.embeddings.tobytes(),
            )
    table = pyarrow.dataset.dataset(root / "parts", format="parquet").to_table(columns=["item", "start_s", "snippet_s"])
    return content, sorted((row["item"], row["snippet_s"] or 0, row["start_s"]) for row in table.to_pylist())


def complete_items(root, length_s):
    return [state.entry.item for state in open_store(root).complete_entries(length_s)]
