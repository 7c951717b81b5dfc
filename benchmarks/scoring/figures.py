"""Draw the cost of scoring and the errors of float32: ``python benchmarks/scoring/figures.py scale|error|open``.

``scale`` runs each method once at each size, in a process of its own with limited memory. ``error`` compares counts
with those of float64. ``open INPUT …`` counts the comparisons that an error bound leaves undecided; INPUT is a store,
an ``.npz`` file with the arrays ``vectors`` and ``recording``, or a shape such as ``20x300``. For ``--fastabx-python``
see ``score.py``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
from measuring import MemoryWatch, describe_machine
from methods import METHODS, run_fastabx, score_with_abxfast
from synthetic import DIM, TIE, count_in_float64, make_adversarial, make_recordings, parse_shape

SIZES = (240, 600, 1200, 2400, 6000, 12000, 24000, 48000)
LAMBDA = 10
"""λ of the probabilistic error bound: one product in 1e21 may exceed it."""
FLOAT32_UNIT_ROUNDOFF = 2.0**-24
EXPONENTS = (-2, *np.arange(0, 8.5, 0.5))
"""Of the mean that is added to the vectors of ``error``, as powers of 10 of its square."""


def run_one(arguments):
    """Run one method once in this process, and print its seconds and megabytes."""
    vectors, labels = make_recordings([60] * (arguments.n // 60))
    if arguments.method == "fastabx":
        _limit_memory(arguments.limit_gb)
        print(json.dumps(run_fastabx(arguments.fastabx_python, vectors, labels)[:2]))
        return
    method = METHODS[arguments.method]
    method(*make_recordings([60] * 3))  # compile first
    _limit_memory(arguments.limit_gb)
    watch = MemoryWatch()
    watch.start()
    start = time.perf_counter()
    method(vectors, labels)
    print(json.dumps([time.perf_counter() - start, watch.stop()]))


def _limit_memory(gigabytes):
    resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 1e9), int(gigabytes * 1e9)))


def scale(arguments):
    """Draw time and memory over N, and the size at which a method runs out of either."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    methods = [*METHODS, *(["fastabx"] if arguments.fastabx_python else [])]
    for method in methods:
        points, limits = _measure(method, arguments)
        if not points:
            continue
        n, seconds, megabytes = zip(*points, strict=True)
        for axis, values in zip(axes, (seconds, np.maximum(megabytes, 1)), strict=True):
            label = f"{method}: {', '.join(limits) or 'all sizes'}"
            (line,) = axis.loglog(n, values, "o-", label=label, markersize=4)
            if limits:
                axis.plot(n[-1], values[-1], "x", color=line.get_color(), markersize=10)
    for axis, title in zip(axes, ("seconds", "MB beyond the embeddings"), strict=True):
        axis.set(xlabel="snippets of 1,024 dimensions, 60 per recording", ylabel=title)
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2)
    _save(figure, "scale.png", arguments.output)


def _measure(method, arguments):
    """Run a method at growing sizes; once it exceeds the time limit, only look for the size that exceeds memory."""
    points, limits = [], []
    for n in SIZES:
        command = [sys.executable, __file__, "one", "--method", method, "--n", str(n)]
        command += ["--limit-gb", str(arguments.limit_gb)]
        if arguments.fastabx_python:
            command += ["--fastabx-python", arguments.fastabx_python]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=arguments.limit_s, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            print(f"{method} {n}: over {arguments.limit_s:g} s", flush=True)
            limits = limits or [f"over {arguments.limit_s:g} s at {n:,}"]
            continue
        if run.returncode:
            reason = (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
            print(f"{method} {n}: {reason}", flush=True)
            return points, [*limits, f"out of {arguments.limit_gb:g} GB at {n:,}"]
        if not limits:
            points.append((n, *json.loads(run.stdout.splitlines()[-1])))
            print(method, *(f"{value:.4g}" for value in points[-1]), flush=True)
    return points, limits


def error(arguments):
    """Draw the share of triplets whose order differs from that in float64, over the mean distance."""
    import matplotlib.pyplot as plt

    half, rows = arguments.half, []
    n_triplets = half * (half - 1) * half
    for exponent in EXPONENTS:
        rows.append(_error_shares(10.0 ** (exponent / 2), half, n_triplets))
        print(*(f"{value:.2e}" for value in rows[-1]), flush=True)
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    distance, *shares = np.array(rows).T
    none = 0.3 / n_triplets
    for share, label in zip(shares, ("plain float32", "centred float32, no correction", "abxfast"), strict=True):
        axis.loglog(distance, np.maximum(share, none), "o-", label=label, markersize=4)
    axis.axhline(none, color="gray", linestyle=":", zorder=0)
    axis.text(1, none / 1.3, f"none of {n_triplets / 1e6:.1f} million", fontsize=8, color="gray", va="top")
    axis.set(xlabel="mean cosine distance", ylabel="share of triplets that differ from float64", ylim=(none / 3, 1))
    axis.invert_xaxis()
    axis.legend(fontsize=8)
    _save(figure, "error.png", arguments.output)


def _error_shares(offset, half, n_triplets):
    """Return the mean distance, and the shares of differing triplets: float32 plain, float32 centred, abxfast."""
    from abxfast import score_embeddings

    rng = np.random.default_rng(1)
    vectors = offset + rng.standard_normal((2 * half, DIM))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = 1 - units @ units.T
    single, mean = units.astype(np.float32), units.mean(axis=0)
    centred = (units - mean).astype(np.float32)
    kernels = (1 - single @ single.T, -(centred @ centred.T + centred @ mean.astype(np.float32)))
    n_wrong = [0, 0]
    for x in range(half):
        others = np.delete(np.arange(half), x)
        expected = _order(exact[x, half:], exact[x, others], TIE)
        for k, distances in enumerate(kernels):
            n_wrong[k] += int((_order(distances[x, half:], distances[x, others], 0) != expected).sum())
    table = score_embeddings(vectors, {"recording": np.repeat([0, 1], half)}, on="recording").table
    wins2, n_at_edge = count_in_float64(vectors, half)
    difference = max(0, abs(table["wins2"][0].as_py() - wins2[0]) - n_at_edge)
    mean_distance = exact[np.triu_indices(2 * half, 1)].mean()
    return mean_distance, *(n / n_triplets for n in (*n_wrong, difference))


def _order(to_b, to_a, tie):
    """Return 1, 0 or −1 for each pair (b, a): a is closer, tie, b is closer."""
    gap = to_b[:, None] - to_a[None, :]
    return np.sign(gap) * (np.abs(gap) > tie)


def _save(figure, name, folder):
    figure.savefig(folder / name, dpi=100, pil_kwargs={"optimize": True})


def open_(arguments):
    """Count the pairs (x, b) with some a within the error bound: of centred float32 kernels, and of abxfast's."""
    _check_undecided_count()
    for source in arguments.inputs:
        vectors, group = _read_vectors(source)
        n_dims, mean_distance, n_pairs, n_undecided = _count_undecided_in_float32(vectors, group)
        description = f"{len(vectors)} × {n_dims}, mean distance {mean_distance:.2g}"
        print(f"{source}: {description}, {n_pairs:.3g} pairs (x, b); undecided:")
        for name, count in n_undecided.items():
            print(f"  centred float32, {name}: {count / n_pairs:.2%}")
        print(f"  abxfast, float64, worst case: {_count_undecided_by_abxfast(vectors, group)} pairs", flush=True)


def _count_undecided_in_float32(vectors, group):
    """Return the dimensions, the mean distance, the number of pairs (x, b), and the undecided ones by error bound."""
    from abxfast.kernels import unit_vectors

    units = unit_vectors(vectors)
    centred = units - units.mean(axis=0)
    length, cosines = np.linalg.norm(centred, axis=1), units @ units.T
    dim, u = units.shape[1], FLOAT32_UNIT_ROUNDOFF
    bounds = {
        "worst case": dim * u / (1 - dim * u),
        "worst case, 128 terms at a time": min(dim, 128) * u,
        "probable": np.expm1(LAMBDA * dim**0.5 * u),
    }
    bounds = {name: 2 * (bound + 2 * u) for name, bound in bounds.items()}  # the vectors are rounded, too
    n_undecided, n_pairs = dict.fromkeys(bounds, 0), 0
    for g in np.unique(group):
        inside, outside = np.flatnonzero(group == g), np.flatnonzero(group != g)
        for x in inside:
            to_a = np.sort(cosines[x, inside[inside != x]])
            if not len(to_a):
                continue
            to_b = cosines[x, outside]
            rank = np.searchsorted(to_a, to_b)
            below, above = to_a[np.maximum(rank - 1, 0)], to_a[np.minimum(rank, len(to_a) - 1)]
            gap = np.minimum(np.abs(to_b - below), np.abs(to_b - above))
            n_pairs += len(outside)
            for name, bound in bounds.items():
                n_undecided[name] += int((gap <= bound * length[x] * length[outside].max()).sum())
    mean_distance = 1 - cosines[np.triu_indices(len(cosines), 1)].mean()
    return dim, mean_distance, n_pairs, n_undecided


def _count_undecided_by_abxfast(vectors, group):
    """Return the number of pairs (x, b) that abxfast recomputes in twice float64's precision.

    Raises
    ------
    AttributeError
        If `abxfast.kernels.abx_counting.sweep` has no `resolve_near_ties`.
    RuntimeError
        If its arguments do not hold exactly one array of undecided pairs.
    """
    from abxfast.kernels.abx_counting import sweep

    resolve, n_undecided = sweep.resolve_near_ties, []

    def count_and_resolve(*args, **kwargs):
        arrays = [value for value in (*args, *kwargs.values()) if isinstance(value, np.ndarray)]
        if len(arrays) != 1 or arrays[0].shape[1:] != (3,):  # position of x, position of b, cell
            raise RuntimeError("resolve_near_ties: expected one array (pairs, 3) among its arguments")
        n_undecided.append(len(arrays[0]))
        return resolve(*args, **kwargs)

    with mock.patch.object(sweep, "resolve_near_ties", count_and_resolve):
        score_with_abxfast(vectors, {"recording": group})
    return sum(n_undecided)


def _check_undecided_count():
    """Check, on vectors that leave pairs undecided, that abxfast still goes through `resolve_near_ties`."""
    vectors = make_adversarial(np.random.default_rng(0), "near1e-7", 200, 64).astype(np.float64)
    if not _count_undecided_by_abxfast(vectors, np.repeat([0, 1], 100)):
        raise RuntimeError("abxfast.kernels.abx_counting.sweep no longer calls resolve_near_ties: adapt figures.py")


def _read_vectors(source):
    """Return vectors and the recording of each, from a shape, an ``.npz`` file or a store."""
    if source == "uneven" or ("x" in source and source.replace("x", "").isdigit()):
        vectors, labels = make_recordings(parse_shape(source))
        return vectors, labels["recording"]
    if source.endswith(".npz"):
        arrays = np.load(source)
        return arrays["vectors"], arrays["recording"]
    from abxfast.store import open_store

    store = open_store(Path(source))
    snippets = store.read(store.lengths()[0], store.default_variant)
    return np.asarray(snippets.embeddings), np.unique(snippets.recordings, return_inverse=True)[1]


COMMANDS = {"scale": scale, "error": error, "open": open_, "one": run_one}


def main():
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS, help="one is run by scale")
    parser.add_argument("inputs", nargs="*", help="for open: stores, .npz files, or shapes such as 20x300")
    parser.add_argument("--half", type=int, default=150, help="for error: snippets per group")
    parser.add_argument("--n", type=int, default=240, help="for one: snippets")
    parser.add_argument("--method", default="abxfast", help="for one")
    parser.add_argument("--limit-s", type=float, default=60, help="for scale: time limit of a run")
    parser.add_argument("--limit-gb", type=float, default=6, help="for scale and one: memory limit")
    parser.add_argument("--fastabx-python", help="for scale and one: interpreter that has fastabx")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="folder for the figure")
    arguments = parser.parse_args()
    if arguments.command != "one":
        print(describe_machine(), flush=True)
    COMMANDS[arguments.command](arguments)


if __name__ == "__main__":
    main()
