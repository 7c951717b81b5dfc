"""Time the statistics of a matrix: all pairs of 20 recordings of 60 snippets, 10,000 permutations each.

    python benchmarks/statistics/matrix.py
    python benchmarks/statistics/matrix.py --false-calls 200   # matrices without a difference: is any pair different?

For comparison, each permutation is counted from scratch with the kernel that counts the scores themselves. That is
timed for 300 permutations of one pair, and extrapolated to all permutations of all pairs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time

import numpy as np
from processes import PROCESSES

from abxfast import score_embeddings
from abxfast.kernels import abx_counts
from abxfast.statistics import (
    UnitPairMarginals,
    decide,
    jackknife_intervals,
    make_exchangeable_units,
    permutation_tests,
    sum_by_unit,
)

PARTS = ("blocks", "tests", "scores and intervals")
LEVEL = 0.05
N_FROM_SCRATCH = 300
"""Permutations of one pair that are counted from scratch."""


def make_recordings(n_recordings, n_snippets, dim):
    """Return recordings without a difference between them: vectors, recording, start in seconds."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((n_recordings * n_snippets, dim)).astype(np.float32) + 3
    recording = np.repeat(np.arange(n_recordings), n_snippets)
    return vectors, recording, np.tile(10.0 * np.arange(n_snippets), n_recordings)


def time_matrix(vectors, recording, start_s, permutations, threads):
    """Compute all statistics of a matrix; return the seconds of each of `PARTS`."""
    times = [time.perf_counter()]
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    times.append(time.perf_counter())
    pairs = np.array(list(itertools.combinations(range(int(recording.max()) + 1), 2)))
    permutation_tests(vectors, recording, units, pairs, permutations=permutations, threads=threads)
    times.append(time.perf_counter())
    _intervals(vectors, recording, units, threads)
    times.append(time.perf_counter())
    return np.diff(times)


def _intervals(vectors, recording, units, threads):
    """Return the intervals of all pairs, in the order of their codes."""
    labels = {"recording": recording, "unit": units.unit}
    options = {"marginals": True, "pair_marginals": "unit", "threads": threads}
    scores = score_embeddings(vectors, labels, on="recording", **options)
    sides = np.stack([scores.table[name].to_numpy() for name in ("recording", "recording_b")], axis=1)
    pair = np.unique(np.sort(sides, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    wins2, triplets = (scores.table[name].to_numpy() for name in ("wins2", "triplets"))
    marginals, pairs = sum_by_unit(scores.marginals, units.unit), UnitPairMarginals.from_table(scores.pair_marginals)
    return jackknife_intervals(wins2, triplets, marginals, pair, units, pairs=pairs)


def count_false_calls(n_matrices):
    """Print how often any pair of a matrix of ten recordings of one process is called different, and would be."""
    permutations, n_recordings, n_snippets = 1999, 10, 120
    pairs = np.array(list(itertools.combinations(range(n_recordings), 2)))
    recording = np.repeat(np.arange(n_recordings), n_snippets)
    start_s = np.tile(np.arange(float(n_snippets)), n_recordings)
    different, corrected, plain = 0, 0, 0
    for seed in range(n_matrices):
        series = PROCESSES["ρ = 0.5"](np.random.default_rng(seed), n_recordings, n_snippets).reshape(len(recording), -1)
        vectors = np.column_stack((series, np.full(len(series), 10.0)))
        units = make_exchangeable_units(vectors, recording, recording, start_s)
        tests = permutation_tests(vectors, recording, units, pairs, permutations=permutations, seed=seed, threads=2)
        verdicts = decide(tests, _intervals(vectors, recording, units, 2))
        different += any(each.verdict == "different" for each in verdicts)
        corrected += (tests.p_holm <= LEVEL).any()
        plain += (tests.p <= LEVEL).any()
    print(
        f"{n_matrices} matrices of {n_recordings} recordings, ρ = 0.5, {n_snippets} snippets, {len(pairs)} pairs each:"
    )
    for name, count in (("called different", different), ("Holm's p ≤ 0.05", corrected), ("p ≤ 0.05", plain)):
        print(f"any pair with {name}: {100 * count / n_matrices:.1f}%")


def time_from_scratch(vectors, n_snippets, permutations):
    """Return the seconds that counting one permutation of a pair from scratch takes."""
    random = np.random.default_rng(0)
    bounds, cells = np.array([0, n_snippets, 2 * n_snippets]), np.array([[0, 1, 0], [1, 0, 1]])
    abx_counts(vectors, np.arange(2 * n_snippets), bounds, cells, threads=1)  # compile first
    start = time.perf_counter()
    for _ in range(permutations):
        abx_counts(vectors, random.permutation(2 * n_snippets), bounds, cells, threads=1)
    return (time.perf_counter() - start) / permutations


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=20)
    parser.add_argument("--snippets", type=int, default=60, help="per recording")
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--permutations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--false-calls", type=int, metavar="MATRICES", help="count false calls in place of timing")
    arguments = parser.parse_args()
    if arguments.false_calls:
        count_false_calls(arguments.false_calls)
        return
    data = make_recordings(arguments.recordings, arguments.snippets, arguments.dim)
    threads = len(os.sched_getaffinity(0))
    start = time.perf_counter()
    time_matrix(*data, 99, threads)
    print(f"first call, compiling or loading kernels: {time.perf_counter() - start:.1f} s")
    rounds = [time_matrix(*data, arguments.permutations, threads) for _ in range(arguments.rounds)]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    print("; ".join(f"{name} {median:.2f} s" for name, median in zip(PARTS, medians, strict=True)))
    total = statistics.median(seconds.sum() for seconds in rounds)
    n_pairs = arguments.recordings * (arguments.recordings - 1) // 2
    print(f"total, {n_pairs} pairs, {arguments.permutations} permutations, {threads} threads: {total:.2f} s")
    one_permutation_s = time_from_scratch(data[0], arguments.snippets, N_FROM_SCRATCH)
    scratch_s = one_permutation_s * arguments.permutations * n_pairs / threads
    print(f"counted from scratch, on as many threads: {scratch_s:.0f} s, {scratch_s / total:.0f} times as long")


if __name__ == "__main__":
    main()
