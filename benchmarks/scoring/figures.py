"""Draw what scoring costs and how wrong float32 is: ``python benchmarks/scoring/figures.py scale|error|open``.

``scale`` runs each method once at each size, in a process of its own whose memory is bounded; ``error`` compares counts
with those of float64; ``open`` counts the comparisons that an error bound leaves open, on the vectors of a store or of
an ``.npz`` file with the arrays ``vectors`` and ``recording``. For ``--fastabx-python`` see ``score.py``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import score

SIZES = (240, 600, 1200, 2400, 6000, 12000, 24000, 48000)
METHODS = {
    "abxfast": score.ours,
    "torch": score.by_torch,
    "scikit-learn": score.by_scikit_learn,
    "scipy": score.by_scipy,
}
SURE = 10
"""λ of the probabilistic bound: with it, one of 1e21 products may err more."""


def one(arguments):
    """Run one method once in this process and print seconds and megabytes."""
    vectors, labels = score.make([60] * (arguments.n // 60))
    if arguments.method == "fastabx":
        _bound(arguments.limit_gb)
        print(json.dumps(score.by_fastabx(arguments.fastabx_python, vectors, labels)[:2]))
        return
    method = METHODS[arguments.method]
    method(*score.make([60] * 3))
    _bound(arguments.limit_gb)
    watch = score.Watch()
    watch.start()
    start = time.perf_counter()
    method(vectors, labels)
    print(json.dumps([time.perf_counter() - start, watch.stop()]))


def _bound(gigabytes):
    resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 1e9), int(gigabytes * 1e9)))


def scale(arguments):
    """Draw time and memory over N, and where a method runs out of either."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    methods = [*METHODS, *(["fastabx"] if arguments.fastabx_python else [])]
    for method in methods:
        points, ends = _measure(method, arguments)
        if not points:
            continue
        n, seconds, megabytes = zip(*points, strict=True)
        for axis, values in zip(axes, (seconds, np.maximum(megabytes, 1)), strict=True):
            label = f"{method}: {', '.join(ends) or 'all of it'}"
            (line,) = axis.loglog(n, values, "o-", label=label, markersize=4)
            if ends:
                axis.plot(n[-1], values[-1], "x", color=line.get_color(), markersize=10)
    for axis, title in zip(axes, ("seconds", "MB beyond the embeddings"), strict=True):
        axis.set(xlabel="snippets of 1,024 numbers, in recordings of 60", ylabel=title)
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2)
    _save(figure, "scale.png")


def _measure(method, arguments):
    """Run a method at growing sizes; once it takes too long, see only at which it runs out of memory."""
    points, ends = [], []
    for n in SIZES:
        command = [sys.executable, __file__, "one", "--method", method, "--n", str(n)]
        command += ["--limit-gb", str(arguments.limit_gb)]
        if arguments.fastabx_python:
            command += ["--fastabx-python", arguments.fastabx_python]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=arguments.limit_s, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            print(f"{method} {n}: over {arguments.limit_s:g} s", flush=True)
            ends = ends or [f"over {arguments.limit_s:g} s at {n:,}"]
            continue
        if run.returncode:
            why = (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
            print(f"{method} {n}: {why}", flush=True)
            return points, [*ends, f"out of {arguments.limit_gb:g} GB at {n:,}"]
        if not ends:
            points.append((n, *json.loads(run.stdout.splitlines()[-1])))
            print(method, *(f"{value:.4g}" for value in points[-1]), flush=True)
    return points, ends


def error(arguments):
    """Draw the share of triplets that a kernel gets wrong, over the mean distance."""
    import matplotlib.pyplot as plt

    half, rows = arguments.half, []
    triplets = half * (half - 1) * half
    for exponent in (-2, *np.arange(0, 8.5, 0.5)):
        rng = np.random.default_rng(1)
        vectors = 10.0 ** (exponent / 2) + rng.standard_normal((2 * half, score.DIM))
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        exact = 1 - units @ units.T
        single, mean = units.astype(np.float32), units.mean(axis=0)
        centred = (units - mean).astype(np.float32)
        kernels = (1 - single @ single.T, -(centred @ centred.T + centred @ mean.astype(np.float32)))
        wrong = [0, 0]
        for x in range(half):
            keep = np.delete(np.arange(half), x)
            truth = _order(exact[x, half:], exact[x, keep], 1e-12)
            for k, d in enumerate(kernels):
                wrong[k] += int((_order(d[x, half:], d[x, keep], 0) != truth).sum())
        table = score.ours(vectors, {"recording": np.repeat([0, 1], half)}, whole=True)
        wins2, edge = score.float64_counts(vectors, half)
        off = abs(table["wins2"][0].as_py() - wins2[0])
        distance = exact[np.triu_indices(2 * half, 1)].mean()
        rows.append((distance, wrong[0] / triplets, wrong[1] / triplets, max(0, off - edge) / triplets))
        print(*(f"{value:.2e}" for value in rows[-1]), flush=True)
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    distance, *shares = np.array(rows).T
    none = 0.3 / triplets
    for share, label in zip(shares, ("plain float32", "centred float32, nothing settled", "abxfast"), strict=True):
        axis.loglog(distance, np.maximum(share, none), "o-", label=label, markersize=4)
    axis.axhline(none, color="gray", linestyle=":", zorder=0)
    axis.text(1, none / 1.3, f"none of {triplets / 1e6:.1f} million", fontsize=8, color="gray", va="top")
    axis.set(xlabel="mean cosine distance", ylabel="share of triplets that differ from float64", ylim=(none / 3, 1))
    axis.invert_xaxis()
    axis.legend(fontsize=8)
    _save(figure, "error.png")


def _order(far, near, tie):
    gap = far[:, None] - near[None, :]
    return np.sign(gap) * (np.abs(gap) > tie)


def _save(figure, name):
    figure.savefig(Path(__file__).with_name(name), dpi=100, pil_kwargs={"optimize": True})


def open_(arguments):
    """Count the pairs (x, b) for which some a lies within the error bound of a centred float32 kernel, and of ours."""
    from abxfast.kernels import sweep, unit_vectors

    for path in arguments.vectors:
        vectors, group = _vectors(path)
        units = unit_vectors(vectors)
        centred = units - units.mean(axis=0)
        length, cosines = np.linalg.norm(centred, axis=1), units @ units.T
        dim, u = units.shape[1], 2.0**-24
        bounds = {
            "worst case": dim * u / (1 - dim * u),
            "worst case, 128 terms at a time": min(dim, 128) * u,
            "probable": np.expm1(SURE * dim**0.5 * u),
        }
        bounds = {name: 2 * (bound + 2 * u) for name, bound in bounds.items()}  # the vectors are rounded, too
        open_pairs, pairs = dict.fromkeys(bounds, 0), 0
        for g in np.unique(group):
            inside, outside = np.flatnonzero(group == g), np.flatnonzero(group != g)
            for x in inside:
                own = np.sort(cosines[x, inside[inside != x]])
                if not len(own):
                    continue
                value = cosines[x, outside]
                place = np.searchsorted(own, value)
                gap = np.minimum(
                    np.abs(value - own[np.maximum(place - 1, 0)]), np.abs(value - own[np.minimum(place, len(own) - 1)])
                )
                pairs += len(outside)
                for name, bound in bounds.items():
                    open_pairs[name] += int((gap <= bound * length[x] * length[outside].max()).sum())
        settled, settle = [], sweep.settle
        sweep.settle = lambda *all_, into=settled, of=settle: (into.append(len(all_[4])), of(*all_))[1]
        score.ours(vectors, {"recording": group})
        sweep.settle = settle
        distance = 1 - cosines[np.triu_indices(len(cosines), 1)].mean()
        print(f"{path}: {len(units)} × {dim}, mean distance {distance:.2g}, {pairs:.3g} pairs (x, b); left open:")
        for name, found in open_pairs.items():
            print(f"  centred float32, {name}: {found / pairs:.2%}")
        print(f"  ours, float64, worst case: {sum(settled)} pairs", flush=True)


def _vectors(path):
    if path in score.SHAPES:
        vectors, labels = score.make(score.sizes_of(path))
        return vectors, labels["recording"]
    if path.endswith(".npz"):
        arrays = np.load(path)
        return arrays["vectors"], arrays["recording"]
    from abxfast.store import open_store

    store = open_store(Path(path))
    snippets = store.read(store.lengths()[0], store.default_variant)
    return np.asarray(snippets.embeddings), np.unique(snippets.recordings, return_inverse=True)[1]


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["scale", "error", "open", "one"])
    parser.add_argument("vectors", nargs="*", help="for open: stores, .npz files, or shapes of score.py such as 20x300")
    parser.add_argument("--half", type=int, default=150)
    parser.add_argument("--n", type=int, default=240)
    parser.add_argument("--method", default="abxfast")
    parser.add_argument("--limit-s", type=float, default=60)
    parser.add_argument("--limit-gb", type=float, default=6)
    parser.add_argument("--fastabx-python")
    arguments = parser.parse_args()
    if arguments.what != "one":
        print(score.machine(), flush=True)
    {"scale": scale, "error": error, "open": open_, "one": one}[arguments.what](arguments)


if __name__ == "__main__":
    main()
