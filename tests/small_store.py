"""A store of tiny random vectors: made, filled and checked without audio or an encoder."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from abxfast.audio import SnippetPlan
from abxfast.encoders import EncoderInfo
from abxfast.manifest import Item, Manifest
from abxfast.store import StoreEntry, StoreWriter

VARIANTS = ("v.max", "v.mean")
DIM = 3
INFO = EncoderInfo(
    name="small",
    variants=VARIANTS,
    default_variant="v.max",
    sample_rate_hz=16_000,
    least_samples=400,
    frame_hop_samples=160,
    normalisation="none",
    precision="fp32",
)
ENCODER = SimpleNamespace(info=INFO, sha256="e" * 64, dim=DIM)
OTHER_ENCODER = SimpleNamespace(info=INFO, sha256="f" * 64, dim=DIM)
TEN = SnippetPlan(10.0, 10.0)
WHOLE = SnippetPlan(None, None)


def make_entry(item="a", plan=TEN, content="c0", **changes):
    entry = StoreEntry(
        item=item,
        recording=f"{item}.wav",
        content=content,
        path=f"{item}.wav",
        size=1,
        mtime_ns=1,
        start_s=None,
        end_s=None,
        channel=None,
        plan=plan,
    )
    return replace(entry, **changes)


def make_vectors(entry, number):
    """Vectors that depend on what the key of the entry stands for, and on nothing else."""
    seed = int(entry.key(ENCODER.sha256)[:8], 16) + number
    return np.random.default_rng(seed).standard_normal((len(VARIANTS), DIM)).astype(np.float32)


def write_entry(store, entry, numbers, total=None):
    """Write the snippets `numbers` of an entry, and finish it if `total` is given."""
    with StoreWriter(store) as writer:
        for number in numbers:
            writer.add(entry, number, 10.0 * number, 10.0 * number + 10, make_vectors(entry, number))
        if total is not None:
            writer.finish(entry, total)


def check_store(store, expected):
    """Compare everything that is read with ``{entry: total}``."""
    for length_s in {entry.plan.length_s for entry in expected}:
        for i, variant in enumerate(VARIANTS):
            snippets = store.read(length_s, variant)
            entries = sorted(
                (entry for entry in expected if entry.plan.length_s == length_s), key=lambda entry: entry.item
            )
            rows = [(entry, number) for entry in entries for number in range(expected[entry])]
            assert snippets.items == [entry.item for entry, _ in rows]
            assert snippets.recordings == [entry.recording for entry, _ in rows]
            np.testing.assert_array_equal(snippets.start_s, [10.0 * number for _, number in rows])
            np.testing.assert_array_equal(snippets.end_s, [10.0 * number + 10 for _, number in rows])
            vectors = np.array([make_vectors(entry, number)[i] for entry, number in rows], np.float32).reshape(-1, DIM)
            np.testing.assert_array_equal(snippets.embeddings, vectors)
    assert set(store.lengths()) == {entry.plan.length_s for entry in expected if expected[entry]}


def part_files(store):
    return sorted((store.root / "parts").glob("*.parquet"))


def make_manifest(folder, **tones):
    """A manifest with one item for each name, and its tone as metadata."""
    items = [Item(name, name, folder / "audio" / name, labels={"tone": tone}) for name, tone in tones.items()]
    return Manifest(tuple(items), ("tone",))
