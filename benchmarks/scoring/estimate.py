"""Estimated scores: whether their intervals cover the exact scores, and what they cost.

python benchmarks/scoring/estimate.py coverage     # 2,070 cells, estimated once at each standard error
python benchmarks/scoring/estimate.py scale        # time and memory over N, vectors mapped from a file
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import MemoryWatch, describe_machine
from synthetic import DIM

from abxfast import score_embeddings

STANDARD_ERRORS = (0.005, 0.01, 0.02)
KINDS = {"independent": (0.0, 0.15), "correlated, ρ = 0.8": (0.8, 0.15), "far apart": (0.5, 0.5)}
"""First-order autocorrelation, and standard deviation of the means of recordings in each of 64 dimensions."""


def make_correlated(n_recordings, n, dim, correlation, spread, seed=0):
    """Return float32 vectors of first-order autocorrelated recordings with different means."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_recordings, n, dim), np.float32)
    for i in range(1, n):
        noise[:, i] = correlation * noise[:, i - 1] + (1 - correlation**2) ** 0.5 * noise[:, i]
    noise += 1 + spread * rng.standard_normal((n_recordings, 1, dim), np.float32)
    return noise.reshape(-1, dim)


def coverage():
    """Compare intervals with exact scores."""
    print("| recordings | exact scores | standard error | greatest stated | error / stated | covered | share counted |")
    print("|---|---|--:|--:|--:|--:|--:|")
    labels = {"recording": np.repeat(np.arange(46), 1200)}
    for name, (correlation, spread) in KINDS.items():
        vectors = make_correlated(46, 1200, 64, correlation, spread)
        exact = np.array(score_embeddings(vectors, labels, on="recording").table["score"])
        for standard_error in STANDARD_ERRORS:
            table = score_embeddings(vectors, labels, on="recording", estimate=standard_error).table
            score, stated, low, high = (np.array(table[c]) for c in ("score", "standard_error", "low", "high"))
            errors = (score - exact)[stated > 0] / stated[stated > 0]
            covered = ((low <= exact) & (exact <= high))[stated > 0]
            print(
                f"| {name}, {len(covered):,} cells | {exact.min():.2f} to {exact.max():.2f} | {standard_error} | "
                f"{stated.max():.4f} | {errors.std():.2f} | {covered.mean():.1%} | "
                f"{np.mean(table['triplets']) / (1200 * 1199 * 1200):.1e} |",
                flush=True,
            )


def scale(sizes, n_recordings, standard_error):
    """Measure time and memory."""
    print("| N | cells | triplets in all | seconds | memory beyond the vectors, MB |")
    print("|--:|--:|--:|--:|--:|")
    small = make_correlated(4, 600, DIM, 0.5, 0.1)
    score_embeddings(small, {"r": np.repeat(np.arange(4), 600)}, on="r", estimate=0.02)  # compile first
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "vectors.npy"
            vectors = np.lib.format.open_memmap(path, "w+", np.float32, (n, DIM))
            for k in range(n_recordings):
                of_k = slice(k * (n // n_recordings), (k + 1) * (n // n_recordings))
                vectors[of_k] = make_correlated(1, n // n_recordings, DIM, 0.5, 0.1, seed=k)
            vectors.flush()
            labels = {"recording": np.repeat(np.arange(n_recordings), n // n_recordings)}
            mapped = np.load(path, mmap_mode="r")
            watch = MemoryWatch()
            watch.start()
            start = time.perf_counter()
            table = score_embeddings(mapped, labels, on="recording", estimate=standard_error).table
            seconds, memory_mb = time.perf_counter() - start, watch.stop()
            size = n // n_recordings
            in_all = table.num_rows * size * (size - 1) * size
            print(f"| {n:,} | {table.num_rows:,} | {in_all:.2e} | {seconds:.1f} | {memory_mb:.0f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["coverage", "scale"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[30_000, 100_000, 300_000, 1_000_000])
    parser.add_argument("--recordings", type=int, default=100)
    parser.add_argument("--standard-error", type=float, default=0.005)
    arguments = parser.parse_args()
    print(describe_machine(), flush=True)
    if arguments.command == "coverage":
        coverage()
    else:
        scale(arguments.sizes, arguments.recordings, arguments.standard_error)
