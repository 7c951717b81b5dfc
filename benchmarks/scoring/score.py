"""Time and check the scoring: ``python benchmarks/scoring/score.py bars|peers|mismatch|disk``.

``bars`` compares whole calls with numpy's matrix product, ``peers`` with other libraries, ``mismatch`` counts with
float64 triplet by triplet, and ``disk`` measures the memory taken beyond a store's embeddings. Peers run in the same
process, in turn with abxfast, several times. Printed are medians, and the medians of paired ratios. Results are checked
to be equal before anything is timed.

fastabx 0.9.0 needs Python 3.12 and may have an interpreter of its own, ``--fastabx-python PATH``. On Debian 12, whose
Python is 3.11, install Debian 13 into a folder (as root):

    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie ROOT
    mount -t proc proc ROOT/proc && mount --bind /tmp ROOT/tmp && cp /etc/resolv.conf ROOT/etc/
    chroot ROOT python3 -m venv /opt/fastabx
    chroot ROOT /opt/fastabx/bin/pip install fastabx==0.9.0

PATH is then a script of two lines, ``#!/bin/sh`` and ``exec chroot ROOT /opt/fastabx/bin/python "$@"``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import MemoryWatch, describe_machine, median_ratio, time_in_turn
from methods import METHODS, run_fastabx, score_with_abxfast
from synthetic import (
    ADVERSARIAL_KINDS,
    DIM,
    SHAPES,
    count_in_float64,
    make_adversarial,
    make_recordings,
    parse_shape,
    write_store,
)

BLOCK = 10
"""Snippets per block of the marginals per block."""
MIN_TINY_CELL, MAX_TINY_CELL = 3, 10
"""Snippets per group of the tiny cells."""
TINY_SHAPES = ((40, 64), (5, 5_000), (2, 50_000))
"""Syllables and contexts, each about 100,000 cells."""
ADVERSARIAL_DIMS = (1, 64, 1024, 4096)
ATOL = 1e-5
"""Between scores: some peers compute in float32."""


def bars(arguments):
    """Time whole calls against numpy's product, plain and with marginals, and many tiny cells."""
    for shape in arguments.shapes:
        vectors, labels = make_recordings(parse_shape(shape))
        _time_against_product(shape, vectors, labels, arguments.runs)
        if arguments.marginals:
            _time_marginals(shape, vectors, labels, arguments.runs)
    if arguments.tiny:
        for n_syllables, n_contexts in TINY_SHAPES:
            _time_tiny_cells(n_syllables, n_contexts, arguments.runs)


def _time_against_product(shape, vectors, labels, runs):
    product, plain = time_in_turn(lambda: vectors @ vectors.T, lambda: score_with_abxfast(vectors, labels), runs=runs)
    medians = f"product {statistics.median(product):.2f} s, abxfast {statistics.median(plain):.2f} s"
    print(f"{shape}: {medians}, ratio {median_ratio(plain, product):.2f}", flush=True)


def _time_marginals(shape, vectors, labels, runs):
    """Time marginals per snippet and per block, each against the plain count."""
    with_blocks = {**labels, "block": np.arange(len(vectors)) // BLOCK}
    ratios = []
    for columns, marginals in ((labels, True), (with_blocks, "block")):
        plain, with_marginals = time_in_turn(
            lambda: score_with_abxfast(vectors, labels),
            lambda columns=columns, marginals=marginals: score_with_abxfast(vectors, columns, marginals=marginals),
            runs=runs,
        )
        ratios.append(median_ratio(with_marginals, plain))
    print(f"{shape}: marginals per snippet × {ratios[0]:.2f}, per block of {BLOCK} × {ratios[1]:.2f}", flush=True)


def _time_tiny_cells(n_syllables, n_contexts, runs):
    """Time about 100,000 cells of groups of 3 to 10 snippets."""
    from abxfast import score_embeddings

    rng = np.random.default_rng(0)
    sizes = rng.integers(MIN_TINY_CELL, MAX_TINY_CELL + 1, n_syllables * n_contexts)
    labels = {
        "syllable": np.repeat(np.tile(np.arange(n_syllables), n_contexts), sizes),
        "context": np.repeat(np.repeat(np.arange(n_contexts), n_syllables), sizes),
    }
    vectors = rng.standard_normal((sizes.sum(), DIM), np.float32)
    (seconds,) = time_in_turn(lambda: score_embeddings(vectors, labels, on="syllable", by=["context"]), runs=runs)
    shape = f"{n_syllables} syllables × {n_contexts} contexts, {len(vectors)} snippets"
    print(f"{shape}: {statistics.median(seconds):.2f} s", flush=True)


def peers(arguments):
    """Compare scores with each peer's and time both: 20 recordings of 300 snippets, or 10 of 60 for the slow peers."""
    vectors, labels = make_recordings(parse_shape("20x300"))
    _time_peer("torch", "20x300", vectors, labels, arguments.runs)
    if arguments.fastabx_python:
        _time_fastabx(arguments.fastabx_python, vectors, labels, max(1, arguments.runs // 2))
    vectors, labels = make_recordings(parse_shape("10x60"))
    for name in ("scikit-learn", "scipy"):
        _time_peer(name, "10x60", vectors, labels, arguments.runs)


def _time_peer(name, shape, vectors, labels, runs):
    peer = METHODS[name]
    np.testing.assert_allclose(peer(vectors, labels), score_with_abxfast(vectors, labels), atol=ATOL)
    abxfast_s, peer_s = time_in_turn(
        lambda: score_with_abxfast(vectors, labels), lambda: peer(vectors, labels), runs=runs
    )
    _print_peer(name, shape, statistics.median(peer_s), statistics.median(abxfast_s), median_ratio(peer_s, abxfast_s))


def _time_fastabx(python, vectors, labels, runs):
    abxfast_s, peer_s = [], []
    for _ in range(runs):
        start = time.perf_counter()
        expected = score_with_abxfast(vectors, labels)
        abxfast_s.append(time.perf_counter() - start)
        seconds, _, scores = run_fastabx(python, vectors, labels)
        np.testing.assert_allclose(scores, expected, atol=ATOL)
        peer_s.append(seconds)
    ratio = median_ratio(peer_s, abxfast_s)
    _print_peer("fastabx", "20x300", statistics.median(peer_s), statistics.median(abxfast_s), ratio)


def _print_peer(name, shape, peer_s, abxfast_s, ratio):
    print(f"{name}, {shape}: {peer_s:.2f} s, abxfast {abxfast_s:.2f} s, {ratio:.1f} ×", flush=True)


def mismatch(arguments):
    """Compare counts with those of float64 over the adversarial set."""
    from abxfast import score_embeddings

    n_triplets = n_mismatched = n_at_edge = 0
    half, rng = arguments.half, np.random.default_rng(4)
    for kind in ADVERSARIAL_KINDS:
        for dim in ADVERSARIAL_DIMS:
            vectors = make_adversarial(rng, kind, 2 * half, dim)
            expected, edge = count_in_float64(vectors, half)
            table = score_embeddings(vectors, {"group": np.repeat([0, 1], half)}, on="group").table
            difference = sum(abs(e - w) for e, w in zip(expected, table["wins2"].to_pylist(), strict=True))
            n_triplets += sum(table["triplets"].to_pylist())
            n_mismatched, n_at_edge = n_mismatched + max(0, difference - edge), n_at_edge + edge
            print(f"{kind} {dim}: counts differ by {difference}, {edge} at the edge", flush=True)
    print(f"{n_triplets:.3g} triplets, {n_at_edge} at the edge of the tie band, {n_mismatched} further mismatches")


def disk(arguments):
    """Score a store on disk, and measure time and memory."""
    from abxfast import score_store

    score_with_abxfast(*make_recordings([20] * 40))  # compile first
    with tempfile.TemporaryDirectory() as folder:
        sizes = [arguments.n // arguments.recordings] * arguments.recordings
        store = write_store(Path(folder), sizes)
        watch = MemoryWatch()
        watch.start()
        start = time.perf_counter()
        scores = score_store(store, memory_mb=arguments.memory_mb)
        seconds = time.perf_counter() - start
        # Embeddings beyond memory_mb are mapped from a file, which `MemoryWatch` does not count.
        embeddings_mb = sum(sizes) * DIM * 4 / 1e6
        held_mb = embeddings_mb if embeddings_mb <= arguments.memory_mb else 0.0
        beyond_mb = watch.stop() - held_mb
    n_triplets = sum(scores.table["triplets"].to_pylist())
    print(f"N = {sum(sizes)}, {len(sizes)} recordings, {n_triplets:.3g} triplets, ", end="")
    print(f"memory_mb {arguments.memory_mb:g}: {seconds:.0f} s, ", end="")
    print(f"{beyond_mb:.0f} MB beyond {held_mb:.0f} MB of embeddings and the memory taken before")


COMMANDS = {"bars": bars, "peers": peers, "mismatch": mismatch, "disk": disk}


def main():
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--runs", type=int, default=5, help="of each timing")
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), help="for bars: uneven, or RECORDINGSxSNIPPETS")
    parser.add_argument("--marginals", action="store_true", help="for bars: also with marginals")
    parser.add_argument("--tiny", action="store_true", help="for bars: also 100,000 tiny cells")
    parser.add_argument("--fastabx-python", help="for peers: interpreter that has fastabx")
    parser.add_argument("--half", type=int, default=250, help="for mismatch: snippets per group")
    parser.add_argument("--n", type=int, default=100_000, help="for disk: snippets")
    parser.add_argument("--recordings", type=int, default=500, help="for disk")
    parser.add_argument("--memory-mb", type=float, default=512, help="for disk")
    arguments = parser.parse_args()
    print(describe_machine(), flush=True)
    COMMANDS[arguments.command](arguments)


if __name__ == "__main__":
    main()
