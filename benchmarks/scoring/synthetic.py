"""Synthetic input of the scoring benchmarks: recordings of noise, the adversarial set, and a store."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

DIM = 1024
SHAPES = ("20x300", "200x60", "4x3600", "uneven")
TIE = 1e-12
ROUNDING = 2e-15
"""Distance from the edge of the tie band below which rounding in float64 decides."""
ADVERSARIAL_KINDS = (
    *("plain", "duplicates", "scaled duplicates", "zeros", "denormals", "norms", "signs"),
    *("near1e-3", "near1e-5", "near1e-6", "near1e-7"),
)
"""The number after ``near`` is roughly the mean cosine distance."""
FLOAT64_ONLY = ("denormals", "scaled duplicates")
"""Kinds that rounding to float32 would destroy."""


def parse_shape(shape):
    """Return the number of snippets of each recording, e.g. 20 times 300 for ``20x300``."""
    if shape == "uneven":
        return [60] * 200 + [10800]
    n_recordings, n_snippets = shape.split("x")
    return [int(n_snippets)] * int(n_recordings)


def make_recordings(sizes, seed=0):
    """Return float32 vectors ``(sum(sizes), DIM)``, noise around a mean of each recording, and their labels."""
    rng = np.random.default_rng(seed)
    vectors = np.empty((sum(sizes), DIM), np.float32)
    overall_mean, start = rng.standard_normal(DIM, np.float32), 0
    for size in sizes:
        mean = overall_mean + 0.1 * rng.standard_normal(DIM, np.float32)
        vectors[start : start + size] = mean + rng.standard_normal((size, DIM), np.float32)
        start += size
    return vectors, {"recording": np.repeat(np.arange(len(sizes)), sizes)}


def make_adversarial(rng, kind, n, dim):
    """Return one member of the adversarial set, ``(n, dim)``, in float32 unless that would destroy it."""
    noise = rng.standard_normal((n, dim))
    scale = 10.0 ** rng.integers(-20, 21, (n, 1))
    if kind.startswith("near"):
        vectors = np.ones(dim) + float(kind.removeprefix("near")) ** 0.5 * noise
    else:
        vectors = {
            "plain": lambda: noise,
            "duplicates": lambda: noise[rng.integers(0, n // 4, n)],
            "scaled duplicates": lambda: noise[rng.integers(0, n // 4, n)] * scale,
            "zeros": lambda: np.where(rng.random((n, 1)) < 0.3, 0, noise),  # noqa: PLR2004
            "denormals": lambda: noise * 1e-310,
            "norms": lambda: noise * scale,
            "signs": lambda: np.sign(noise),
        }[kind]()
    return vectors if kind in FLOAT64_ONLY else vectors.astype(np.float32)


def count_in_float64(vectors, half):
    """Count the triplets of two groups one by one in float64.

    Returns
    -------
    wins2 : list of int
        2 · wins + ties of both cells.
    n_at_edge : int
        Triplets so close to the edge of the tie band that rounding decides.
    """
    units = vectors.astype(np.float64)
    largest = np.abs(units).max(axis=1, keepdims=True)
    units /= np.where(largest > 0, largest, 1)
    norm = np.sqrt((units * units).sum(axis=1, keepdims=True))
    units /= np.where(norm > 0, norm, 1)
    distances = 1 - units @ units.T
    wins2, n_at_edge = [0, 0], 0
    for x in range(len(distances)):
        first, second = distances[x, :half], distances[x, half:]
        to_a, to_b = (first, second) if x < half else (second, first)
        gap = to_b[:, None] - np.delete(to_a, x % half)[None, :]
        wins2[x // half] += 2 * int((gap > TIE).sum()) + int((np.abs(gap) <= TIE).sum())
        n_at_edge += int((np.abs(np.abs(gap) - TIE) <= ROUNDING).sum())
    return wins2, n_at_edge


def write_store(folder, sizes):
    """Write a store of synthetic recordings, without audio or encoder, and return its path."""
    from abxfast.audio import SnippetPlan
    from abxfast.manifest import read_manifest
    from abxfast.store import StoreEntry, StoreWriter, create_store

    info = SimpleNamespace(name="synthetic", variants=["synthetic"], default_variant="synthetic", sample_rate_hz=16_000)
    store = create_store(folder / "synthetic.store", SimpleNamespace(info=info, sha256="0" * 64, dim=DIM))
    (folder / "rows.csv").write_text("\n".join(["path", *(f"r{k:03}.wav" for k in range(len(sizes)))]))
    manifest = read_manifest(folder / "rows.csv", need_audio=False)
    store.save_manifest(manifest)
    with StoreWriter(store) as writer:
        for k, (item, size) in enumerate(zip(manifest.items, sizes, strict=True)):
            entry = StoreEntry(
                item=item.item,
                recording=item.recording,
                content=f"{k:064}",
                path=item.path.name,
                size=0,
                mtime_ns=0,
                start_s=None,
                end_s=None,
                channel=None,
                plan=SnippetPlan(1.0, 1.0),
            )
            vectors, _ = make_recordings([size], seed=k)
            for number, vector in enumerate(vectors):
                writer.add(entry, number, float(number), number + 1.0, vector[None])
            writer.finish(entry, size)
    return store.root
