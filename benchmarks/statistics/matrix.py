"""How long the statistics of a matrix take: every pair of 20 recordings of 60 snippets, 10,000 permutations each.

    python benchmarks/statistics/matrix.py

The peer counts every permutation anew, with the kernel that counts the scores themselves, for as many permutations of
one pair as take a few seconds; its time is that of one permutation times permutations times pairs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time

import numpy as np

from abxfast import score_embeddings
from abxfast.kernels import abx_counts
from abxfast.statistics import jackknife_intervals, make_exchangeable_units, permutation_tests, sum_by_unit


def recordings(n_recordings, n, dim):
    """Make recordings with no difference between them: vectors, recording, start in seconds."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((n_recordings * n, dim)).astype(np.float32) + 3
    return vectors, np.repeat(np.arange(n_recordings), n), np.tile(10.0 * np.arange(n), n_recordings)


def matrix(vectors, recording, start_s, permutations, threads):
    """Do all that a matrix gets; give the seconds of units, tests, and scores with intervals."""
    times = [time.perf_counter()]
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    times.append(time.perf_counter())
    pairs = np.array(list(itertools.combinations(range(int(recording.max()) + 1), 2)))
    permutation_tests(vectors, recording, units, pairs, permutations=permutations, threads=threads)
    times.append(time.perf_counter())
    scores = score_embeddings(vectors, {"recording": recording}, on="recording", marginals=True, threads=threads)
    sides = np.sort(np.stack([scores.table[name].to_numpy() for name in ("recording", "recording_b")], axis=1), axis=1)
    row = np.unique(sides, axis=0, return_inverse=True)[1].reshape(-1)
    wins2, triplets = (scores.table[name].to_numpy() for name in ("wins2", "triplets"))
    found = jackknife_intervals(wins2, triplets, sum_by_unit(scores.marginals, units.unit), row, units)
    times.append(time.perf_counter())
    if np.isnan(found.low).any():
        raise SystemExit("an interval is missing")
    return np.diff(times)


def recounted(vectors, n, permutations):
    """Give the seconds that one permutation of a pair takes when it is counted anew."""
    random = np.random.default_rng(0)
    bounds, cells = np.array([0, n, 2 * n]), np.array([[0, 1, 0], [1, 0, 1]])
    abx_counts(vectors, np.arange(2 * n), bounds, cells, threads=1)
    start = time.perf_counter()
    for _ in range(permutations):
        abx_counts(vectors, random.permutation(2 * n), bounds, cells, threads=1)
    return (time.perf_counter() - start) / permutations


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=20)
    parser.add_argument("--snippets", type=int, default=60)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--permutations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    data = recordings(options.recordings, options.snippets, options.dim)
    threads = len(os.sched_getaffinity(0))
    start = time.perf_counter()
    matrix(*data, 99, threads)
    print(f"compile or load, once: {time.perf_counter() - start:.1f} s")
    rounds = [matrix(*data, options.permutations, threads) for _ in range(options.rounds)]
    parts = [statistics.median(column) for column in zip(*rounds, strict=True)]
    names = ("blocks", "tests", "scores and intervals")
    print("; ".join(f"{name} {part:.2f} s" for name, part in zip(names, parts, strict=True)))
    total = statistics.median(each.sum() for each in rounds)
    n_pairs = options.recordings * (options.recordings - 1) // 2
    print(f"{n_pairs} pairs, {options.permutations} permutations, {threads} threads: {total:.2f} s")
    peer = recounted(data[0], options.snippets, 300) * options.permutations * n_pairs / threads
    print(f"counted anew: {peer:.0f} s on as many threads, {peer / total:.0f} times as long")


if __name__ == "__main__":
    main()
