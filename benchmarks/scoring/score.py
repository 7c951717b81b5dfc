"""Time and check the scoring: ``python benchmarks/scoring/score.py bars|peers|mismatch|disk``.

Peers run in the same process, in turn with ours, several times; what is printed is medians and the median of the
ratios. Results are checked equal before any time is taken.

fastabx 0.9.0 wants Python 3.12 and may have an interpreter of its own, ``--fastabx-python PATH``. On Debian 12, whose
Python is 3.11, Debian 13 in a folder gives one (as root):

    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie ROOT
    mount -t proc proc ROOT/proc && mount --bind /tmp ROOT/tmp && cp /etc/resolv.conf ROOT/etc/
    chroot ROOT python3 -m venv /opt/fastabx
    chroot ROOT /opt/fastabx/bin/pip install fastabx==0.9.0

and PATH is a script of two lines, ``#!/bin/sh`` and ``exec chroot ROOT /opt/fastabx/bin/python "$@"``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil

DIM = 1024
SHAPES = ("20x300", "200x60", "4x3600", "uneven")
BLOCK = 10
QUIET = 0.05
MIN_CELL, MAX_CELL = 3, 10
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "sve")


def sizes_of(shape):
    """Give the snippets of each recording, such as 20 times 300 for 20x300."""
    if shape == "uneven":
        return [60] * 200 + [10800]
    recordings, snippets = shape.split("x")
    return [int(snippets)] * int(recordings)


def make(sizes, seed=0, out=None):
    """Make float32 vectors: noise around a mean, and a mean for each recording."""
    rng = np.random.default_rng(seed)
    vectors = np.empty((sum(sizes), DIM), np.float32) if out is None else out
    common, start = rng.standard_normal(DIM, np.float32), 0
    for size in sizes:
        own = common + 0.1 * rng.standard_normal(DIM, np.float32)
        vectors[start : start + size] = own + rng.standard_normal((size, DIM), np.float32)
        start += size
    return vectors, {"recording": np.repeat(np.arange(len(sizes)), sizes)}


def ours(vectors, labels, *, whole=False, **options):
    """Give our scores in the order of (recording, recording_b), or the whole table."""
    from abxfast import score_embeddings

    table = score_embeddings(vectors, labels, on="recording", **options).table
    return table if whole else table["score"].to_numpy()


def by_torch(vectors, labels):
    """Sort and searchsorted in float32, every X against all others at once."""
    import torch

    units = torch.nn.functional.normalize(torch.from_numpy(vectors))
    sizes = np.bincount(labels["recording"]).tolist()
    starts, scores = np.concatenate(([0], np.cumsum(sizes))).tolist(), []
    group = torch.from_numpy(labels["recording"])
    for g, size in enumerate(sizes):
        stop = starts[g + 1]
        d = 1 - units[starts[g] : stop] @ units.T
        own = d[:, starts[g] : stop].clone().fill_diagonal_(float("inf")).sort(dim=1).values[:, :-1].contiguous()
        ranks = torch.searchsorted(own, d) + torch.searchsorted(own, d, right=True)
        won = torch.zeros(len(sizes), dtype=torch.int64).index_add_(0, group, ranks.sum(0))
        scores += [won[b].item() / (2 * size * (size - 1) * sizes[b]) for b in range(len(sizes)) if b != g]
    return np.array(scores)


def by_scikit_learn(vectors, labels):
    """Pairwise distances, then the area under the curve for each x."""
    from sklearn.metrics import pairwise_distances, roc_auc_score

    d, group = pairwise_distances(vectors, metric="cosine"), labels["recording"]
    members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    scores = []
    for a in members:
        for b in members:
            if a is b:
                continue
            truth = np.repeat([0, 1], [len(a) - 1, len(b)])
            areas = [roc_auc_score(truth, np.concatenate((d[x, a[a != x]], d[x, b]))) for x in a]
            scores.append(np.mean(areas))
    return np.array(scores)


def by_scipy(vectors, labels):
    """Distances by cdist in float64, then every triplet."""
    from scipy.spatial.distance import cdist

    d, group = cdist(vectors, vectors, "cosine"), labels["recording"]
    members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    scores = []
    for a in members:
        for b in members:
            if a is b:
                continue
            wins2 = 0
            for x in a:
                gap = d[x, b][:, None] - d[x, a[a != x]][None, :]
                wins2 += 2 * np.count_nonzero(gap > 1e-12) + np.count_nonzero(np.abs(gap) <= 1e-12)  # noqa: PLR2004
            scores.append(wins2 / (2 * len(a) * (len(a) - 1) * len(b)))
    return np.array(scores)


_FASTABX = """
import json, resource, sys, time, numpy as np, torch
from fastabx import Dataset, Task, Score
vectors, group = np.load(sys.argv[1] + "/v.npy"), np.load(sys.argv[1] + "/g.npy").tolist()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
dataset = Dataset.from_numpy(vectors, {"recording": group}, device="cpu")
score = Score(Task(dataset, on="recording"), "angular")
seconds = time.perf_counter() - start
cells = score.cells.sort("recording", "recording_b")
megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
print(json.dumps([seconds, megabytes, (1 - cells["score"].to_numpy()).tolist()]))
"""


def by_fastabx(python, vectors, labels):
    """Give seconds and megabytes that fastabx takes in its own interpreter, without its start, and its scores."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/v.npy", vectors)
        np.save(f"{folder}/g.npy", labels["recording"])
        command = [python, "-c", _FASTABX, folder]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    seconds, megabytes, scores = json.loads(answer.splitlines()[-1])
    return seconds, megabytes, np.array(scores)


def timed(*functions, runs):
    """Run the functions in turn; give the seconds of each run, one list for each function.

    A round in which other programs took more than a twentieth of the machine is run again, three times as many rounds
    at most; then the least disturbed ones count, and it is said how disturbed they are.
    """
    for function in functions:
        function()
    rounds = []
    while len(rounds) < 3 * runs and sum(others < QUIET for others, _ in rounds) < runs:
        found, busy, begin = [], _busy(), time.perf_counter()
        for function in functions:
            start = time.perf_counter()
            function()
            found.append(time.perf_counter() - start)
        rounds.append(((_busy() - busy) / (time.perf_counter() - begin) / psutil.cpu_count(), found))
    rounds = sorted(rounds)[:runs]
    if rounds[-1][0] >= QUIET:
        print(f"(other programs took up to {rounds[-1][0]:.0%} of the machine in what follows)", flush=True)
    return list(zip(*(found for _, found in rounds), strict=True))


def _busy():
    """Give the processor seconds that other programs have taken so far."""
    every, own = psutil.cpu_times(), psutil.Process().cpu_times()
    names = ("user", "nice", "system", "irq", "softirq", "steal")  # steal: what the host gave to another machine
    return sum(getattr(every, name, 0.0) for name in names) - own.user - own.system


def ratio(mine, peer):
    """Give the median of the ratios of paired runs."""
    return statistics.median(m / p for m, p in zip(mine, peer, strict=True))


def bars(arguments):
    """Time whole calls against numpy's product, plain and with marginals; and many tiny cells."""
    for name in arguments.shapes:
        vectors, labels = make(sizes_of(name))
        product, plain = timed(lambda v=vectors: v @ v.T, lambda v=vectors, of=labels: ours(v, of), runs=arguments.runs)
        line = f"{name}: product {statistics.median(product):.2f} s, ours {statistics.median(plain):.2f} s"
        print(f"{line}, ratio {ratio(plain, product):.2f}", flush=True)
        if arguments.marginals:
            plain, more = timed(
                lambda v=vectors, of=labels: ours(v, of),
                lambda v=vectors, of=labels: ours(v, of, marginals=True),
                runs=arguments.runs,
            )
            line = f"{name}: with marginals × {ratio(more, plain):.2f}"
            blocks = {**labels, "block": np.arange(len(vectors)) // BLOCK}
            plain, more = timed(
                lambda v=vectors, of=labels: ours(v, of),
                lambda v=vectors, of=blocks: ours(v, of, marginals="block"),
                runs=arguments.runs,
            )
            print(f"{line}, over blocks of {BLOCK} snippets × {ratio(more, plain):.2f}", flush=True)
    if arguments.tiny:
        for syllables, contexts in ((40, 64), (5, 5_000), (2, 50_000)):
            tiny(syllables, contexts, arguments.runs)


def tiny(syllables, contexts, runs):
    """Time 100,000 cells of 3 to 10 snippets."""
    from abxfast import score_embeddings

    rng = np.random.default_rng(0)
    sizes = rng.integers(MIN_CELL, MAX_CELL + 1, syllables * contexts)
    labels = {
        "syllable": np.repeat(np.tile(np.arange(syllables), contexts), sizes),
        "context": np.repeat(np.repeat(np.arange(contexts), syllables), sizes),
    }
    vectors = rng.standard_normal((sizes.sum(), DIM), np.float32)
    (seconds,) = timed(lambda: score_embeddings(vectors, labels, on="syllable", by=["context"]), runs=runs)
    print(f"{syllables} syllables × {contexts} contexts, {len(vectors)} snippets: {statistics.median(seconds):.2f} s")


def peers(arguments):
    """Time the peers on 20 recordings of 300, or fewer for the slow ones, after comparing the scores."""
    vectors, labels = make(sizes_of("20x300"))
    mine = ours(vectors, labels)
    np.testing.assert_allclose(by_torch(vectors, labels), mine, atol=1e-5)
    a, b = timed(lambda: ours(vectors, labels), lambda: by_torch(vectors, labels), runs=arguments.runs)
    print(f"torch {statistics.median(b):.2f} s, ours {statistics.median(a):.2f} s, {1 / ratio(a, b):.1f} ×", flush=True)
    if arguments.fastabx_python:
        found = []
        for _ in range(max(1, arguments.runs // 2)):
            start = time.perf_counter()
            mine = ours(vectors, labels)
            middle = time.perf_counter()
            seconds, _, scores = by_fastabx(arguments.fastabx_python, vectors, labels)
            np.testing.assert_allclose(scores, mine, atol=1e-5)
            found.append((seconds, middle - start))
        seconds, own = (statistics.median(each) for each in zip(*found, strict=True))
        factor = statistics.median(s / o for s, o in found)
        print(f"fastabx: {seconds:.2f} s, ours {own:.2f} s, {factor:.1f} ×", flush=True)
    vectors, labels = make([60] * 10)
    mine = ours(vectors, labels)
    for peer in (by_scikit_learn, by_scipy):
        # float32 inside scikit-learn
        np.testing.assert_allclose(peer(vectors, labels), mine, atol=1e-5)
        a, b = timed(lambda: ours(vectors, labels), lambda f=peer: f(vectors, labels), runs=arguments.runs)
        print(f"{peer.__name__}, 10x60: {statistics.median(b):.2f} s, {1 / ratio(a, b):.0f} ×", flush=True)


def adversarial(rng, kind, n, dim):
    """Give one member of the adversarial set, as the tests have it."""
    plain = rng.standard_normal((n, dim))
    scale = 10.0 ** rng.integers(-20, 21, (n, 1))
    if kind.startswith("near"):
        return np.ones(dim) + float(kind[4:]) ** 0.5 * plain
    return {
        "plain": lambda: plain,
        "duplicates": lambda: plain[rng.integers(0, n // 4, n)],
        "scaled duplicates": lambda: plain[rng.integers(0, n // 4, n)] * scale,
        "zeros": lambda: np.where(rng.random((n, 1)) < 0.3, 0, plain),  # noqa: PLR2004
        "denormals": lambda: plain * 1e-310,
        "norms": lambda: plain * scale,
        "signs": lambda: np.sign(plain),
    }[kind]()


KINDS = ["plain", "duplicates", "scaled duplicates", "zeros", "denormals", "norms", "signs"]
KINDS += ["near1e-3", "near1e-5", "near1e-6", "near1e-7"]


def float64_counts(vectors, half):
    """Count two groups triplet by triplet in float64; give 2 · wins + ties of both cells, and what is on the edge."""
    units = vectors.astype(np.float64)
    largest = np.abs(units).max(axis=1, keepdims=True)
    units /= np.where(largest > 0, largest, 1)
    length = np.sqrt((units * units).sum(axis=1, keepdims=True))
    units /= np.where(length > 0, length, 1)
    d = 1 - units @ units.T
    wins2, edge = [0, 0], 0
    for x in range(len(d)):
        near, far = (d[x, :half], d[x, half:]) if x < half else (d[x, half:], d[x, :half])
        gap = far[:, None] - np.delete(near, x % half)[None, :]
        wins2[x // half] += 2 * int((gap > 1e-12).sum()) + int((np.abs(gap) <= 1e-12).sum())  # noqa: PLR2004
        edge += int((np.abs(np.abs(gap) - 1e-12) <= 2e-15).sum())  # noqa: PLR2004
    return wins2, edge


def mismatch(arguments):
    """Compare counts with float64's over the adversarial set."""
    from abxfast import score_embeddings

    triplets = wrong = edges = 0
    half, rng = arguments.half, np.random.default_rng(4)
    for kind in KINDS:
        for dim in (1, 64, 1024, 4096):
            vectors = adversarial(rng, kind, 2 * half, dim)
            if kind not in ("denormals", "scaled duplicates"):
                vectors = vectors.astype(np.float32)
            wins2, edge = float64_counts(vectors, half)
            table = score_embeddings(vectors, {"g": np.repeat([0, 1], half)}, on="g").table
            off = sum(abs(w - o) for w, o in zip(wins2, table["wins2"].to_pylist(), strict=True))
            triplets += sum(table["triplets"].to_pylist())
            wrong, edges = wrong + max(0, off - edge), edges + edge
            print(f"{kind} {dim}: off by {off}, on the edge {edge}", flush=True)
    print(f"{triplets:.3g} triplets, {edges} on the edge of the tie band, {wrong} mismatched besides")


class Watch(threading.Thread):
    """Watch the memory of this process, without pages of mapped files, until stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self._process, self._over = psutil.Process(), threading.Event()
        self.start_mb = self.peak_mb = self._now()

    def _now(self):
        info = self._process.memory_info()
        return (info.rss - info.shared) / 1e6

    def run(self):
        """Sample."""
        while not self._over.wait(0.01):
            self.peak_mb = max(self.peak_mb, self._now())

    def stop(self):
        """Give the megabytes taken at most, beyond those at the start."""
        self._over.set()
        self.join()
        return self.peak_mb - self.start_mb


def fill_store(folder, sizes):
    """Write a store of made vectors, without audio and encoder."""
    from abxfast.audio import SnippetPlan
    from abxfast.manifest import read_manifest
    from abxfast.store import StoreEntry, StoreWriter, create_store

    info = SimpleNamespace(name="made", variants=["made"], default_variant="made", sample_rate_hz=16_000)
    store = create_store(folder / "made.store", SimpleNamespace(info=info, sha256="0" * 64, dim=DIM))
    (folder / "rows.csv").write_text("\n".join(["path", *(f"r{k:03}.wav" for k in range(len(sizes)))]))
    manifest = read_manifest(folder / "rows.csv", need_audio=False)
    store.save_manifest(manifest)
    with StoreWriter(store) as writer:
        for k, (item, size) in enumerate(zip(manifest.items, sizes, strict=True)):
            unit = StoreEntry(
                item.item, item.recording, f"{k:064}", item.path.name, 0, 0, None, None, None, SnippetPlan(1.0, 1.0)
            )
            vectors, _ = make([size], seed=k)
            for number, vector in enumerate(vectors):
                writer.add(unit, number, float(number), number + 1.0, vector[None])
            writer.finish(unit, size)
    return store.root


def disk(arguments):
    """Score a store on disk."""
    from abxfast import score_store

    ours(*make([20] * 40))  # compile
    with tempfile.TemporaryDirectory() as folder:
        sizes = [arguments.n // arguments.recordings] * arguments.recordings
        root = fill_store(Path(folder), sizes)
        watch = Watch()
        watch.start()
        start = time.perf_counter()
        scores = score_store(root, memory_mb=arguments.memory_mb)
        seconds = time.perf_counter() - start
        line = f"N = {sum(sizes)}, {len(sizes)} recordings, {sum(scores.table['triplets'].to_pylist()):.3g} triplets"
        # Beyond memory_mb the store maps the embeddings from a file, and `Watch` does not see them.
        embeddings_mb = sum(sizes) * DIM * 4 / 1e6
        held_mb = embeddings_mb if embeddings_mb <= arguments.memory_mb else 0.0
        more = f"{watch.stop() - held_mb:.0f} MB beyond {held_mb:.0f} MB of embeddings and what was there before"
        print(f"{line}, memory_mb {arguments.memory_mb:g}: {seconds:.0f} s, {more}")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["bars", "peers", "mismatch", "disk"])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), help="uneven, or recordings x snippets")
    parser.add_argument("--marginals", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--fastabx-python")
    parser.add_argument("--half", type=int, default=250)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--recordings", type=int, default=500)
    parser.add_argument("--memory-mb", type=float, default=512)
    arguments = parser.parse_args()
    print(machine(), flush=True)
    {"bars": bars, "peers": peers, "mismatch": mismatch, "disk": disk}[arguments.what](arguments)


def machine():
    """Name cores, processor and those of its flags that matter here."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = [flag for flag in about.get("flags", "").split() if flag in FLAGS]
    name = about.get("model name", "")
    cores = f"{psutil.cpu_count()} cores, {name} ({' '.join(flags)}), load {psutil.getloadavg()[0]:.1f}"
    return f"{cores}, numpy {np.__version__}"


if __name__ == "__main__":
    main()
