"""Calibration: do 95 % intervals cover 95 %, does a test at 5 % reject 5 %? Simulated, then counted.

Recordings of 20 numbers a snippet, first-order autocorrelated in time, beside a constant that makes all cosines
close to 1, as wav2vec 2.0 does; one of the numbers is shifted in the second recording. What an interval has to cover is
the mean score of all replicates: what recordings of this length score on the average. Tokens of syllables in two
voices, ON syllable ACROSS voice: one token each, the syllables drawn anew in each replicate; or three tokens each of
syllables that stay the same.

    python benchmarks/statistics/calibration.py                 # what calibration.json lacks, 2,000 replicates each, and a figure
    python benchmarks/statistics/calibration.py -o elsewhere    # all of it
    python benchmarks/statistics/calibration.py --parts         # what the parts of the method do, left out in turn
"""

from __future__ import annotations

import argparse
import json
import logging
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

from abxfast import score_embeddings
from abxfast.statistics import (
    jackknife_intervals,
    make_exchangeable_units,
    permutation_tests,
    self_baselines,
    sum_by_unit,
)
from abxfast.statistics.dependence import MIN_BLOCKS, block_length

logging.getLogger("abxfast").setLevel(logging.ERROR)  # that a and x may be of one recording is meant here
DIM, CHUNK, PERMUTATIONS, SNIPPET_S = 20, 100, 199, 10.0
SCORES = (0.55, 0.65, 0.75, 0.85, 0.95)
PAIRS = [(0.0, 60), (0.0, 120), (0.0, 360), (0.5, 60), (0.5, 120), (0.5, 360), (0.8, 360), (0.8, 60), (0.8, 120)]
"""Lag-one correlation and snippets a recording; the last two are too short."""
SIZES = (60, 120, 360)
COLOURS = {
    ("pair", 0.0): "#0072B2",
    ("pair", 0.5): "#E69F00",
    ("pair", 0.8): "#009E73",
    ("group", 0.0): "#CC79A7",
    ("tokens", 0.0): "#D55E00",
    ("repeated", 0.0): "0.5",
}
FLOORS = (
    ("null_score", "two recordings", "0.2", "-"),
    ("alternating_split", "alternating_split", "#0072B2", "--"),
    ("half_split", "half_split", "#E69F00", ":"),
)
GROUPS = (5, 8, 16)
"""Recordings a value of ON, of 12 snippets each."""
TOKENS = (10, 20, 40)
"""Syllables, one token each in each voice."""
REPEATED = 20
"""Syllables, three tokens each in each voice."""
DESIGNS = [
    *(("pair", *pair) for pair in PAIRS),
    *(("group", 0.0, size) for size in GROUPS),
    *(("tokens", 0.0, size) for size in TOKENS),
    ("repeated", 0.0, REPEATED),
]


def process(random, series, n, correlation):
    """Give first-order autocorrelated snippets of unit variance, ``(series, n, DIM)``."""
    steps = random.standard_normal((n, series, DIM))
    out = steps.copy()
    for t in range(1, n):
        out[t] = correlation * out[t - 1] + np.sqrt(1 - correlation**2) * steps[t]
    return out.transpose(1, 0, 2)


def vectors(numbers):
    """Put a constant beside the numbers, float32 ``(snippets, DIM + 1)``."""
    numbers = numbers.reshape(-1, DIM)
    return np.column_stack((numbers, np.full(len(numbers), 10.0))).astype(np.float32)


def pairs_of(correlation, n, shift, seed):
    """Make CHUNK pairs of recordings: vectors, replicate, recording, start in seconds."""
    numbers = process(np.random.default_rng(seed), 2 * CHUNK, n, correlation)
    numbers[1::2, :, 0] += shift
    recording = np.repeat(np.arange(2 * CHUNK), n)
    return vectors(numbers), recording // 2, recording, np.tile(SNIPPET_S * np.arange(n), 2 * CHUNK)


def groups_of(size, shift, seed):
    """Make CHUNK replicates of two values of ON with `size` recordings each; every recording has its own place."""
    random = np.random.default_rng(seed)
    n = 12
    numbers = random.standard_normal((CHUNK, 2, size, n, DIM)) + 0.5 * random.standard_normal((CHUNK, 2, size, 1, DIM))
    numbers[:, 1, :, :, 0] += shift
    recording = np.repeat(np.arange(CHUNK * 2 * size), n)
    return vectors(numbers), recording // (2 * size), recording, np.tile(SNIPPET_S * np.arange(n), CHUNK * 2 * size)


def tokens_of(kind, n, spread, seed):
    """Make CHUNK replicates of n syllables in two voices: vectors, replicate, syllable, voice."""
    random = np.random.default_rng(seed)
    voices = np.random.default_rng(5).standard_normal((2, 1, DIM))
    if kind == "tokens":
        each, syllables = 1, random.standard_normal((CHUNK, n, 1, 1, DIM))
    else:
        each, syllables = 3, np.random.default_rng(7).standard_normal((n, 1, 1, DIM))
    numbers = spread * syllables + 0.7 * voices + random.standard_normal((CHUNK, n, 2, each, DIM))
    replicate, syllable, voice, _ = np.indices((CHUNK, n, 2, each)).reshape(4, -1)
    return vectors(numbers), replicate, syllable, voice


def design(kind, first, n, shift, seed):
    """Make a chunk of replicates: vectors, replicate, ON, recording, start, options of the task.

    ON is the recording, the half of the recordings, or the syllable, of which each token is a recording.
    """
    if kind == "pair":
        embeddings, replicate, recording, start_s = pairs_of(first, n, shift, seed)
        return embeddings, replicate, recording, recording, start_s, {}
    if kind == "group":
        embeddings, replicate, recording, start_s = groups_of(n, shift, seed)
        return embeddings, replicate, recording // n, recording, start_s, {"different": ("recording",)}
    embeddings, replicate, syllable, voice = tokens_of(kind, n, shift, seed)
    recording = np.arange(len(voice))
    return embeddings, replicate, syllable, recording, np.zeros(len(voice)), {"across": voice}


def scored(kind, first, n, shift, seed):
    """Give score, low, high of each replicate of a chunk: the mean of both directions."""
    embeddings, replicate, on, recording, start_s, options = design(kind, first, n, shift, seed)
    labels = {"on": on, "replicate": replicate, "recording": recording}
    context, values = replicate, None
    if "across" in options:
        labels["voice"] = options["across"]
        context, options = 2 * replicate + labels["voice"], {"across": ("voice",)}
    scores = score_embeddings(embeddings, labels, on="on", by="replicate", **options, marginals=True, threads=1)
    if "voice" in labels:
        pairs = {"on": ("on", "on_b"), "voice": ("voice", "voice_x")}
        values = {
            name: np.stack([scores.table[own].to_numpy() for own in both], axis=1) for name, both in pairs.items()
        }
    units = make_exchangeable_units(embeddings, on, recording, start_s, context)
    row = scores.table["replicate"].to_numpy()
    found = jackknife_intervals(
        scores.table["wins2"].to_numpy(),
        scores.table["triplets"].to_numpy(),
        sum_by_unit(scores.marginals, units.unit),
        row,
        units,
        values=values,
    )
    return np.stack((found.score, found.low, found.high), axis=1)


def tested(kind, first, n, seed):
    """Give p, and whether the note tells of a recording that is too short, of each replicate without a difference."""
    embeddings, replicate, on, recording, start_s, options = design(kind, first, n, 0.0, seed)
    common = {"permutations": PERMUTATIONS, "seed": seed[-1], "different_recordings": "different" in options}
    if "across" not in options:
        units = make_exchangeable_units(embeddings, on, recording, start_s)
        found = permutation_tests(embeddings, on, units, np.arange(2 * CHUNK).reshape(-1, 2), **common)
        return np.stack((found.p, [float("too short" in note) for note in found.note]), axis=1)
    p = []
    for own in range(CHUNK):
        rows = replicate == own
        voice, part = options["across"][rows], (embeddings[rows], on[rows])
        units = make_exchangeable_units(*part, np.arange(rows.sum()), start_s[rows], voice)
        p.append(permutation_tests(*part, units, across=voice, **common).p[0])
    return np.stack((p, np.zeros(CHUNK)), axis=1)


def floored(first, n, seed):
    """Give within and drift of each recording, none of which changes with time."""
    embeddings, _, recording, start_s = pairs_of(first, n, 0.0, seed)
    found = self_baselines(embeddings, recording, start_s, start_s + SNIPPET_S, threads=1)
    return np.stack((found.alternating_split, found.half_split), axis=1)


def shift_for(score, kind, first, n):
    """Find the shift that gives a score, by halving, on one chunk."""
    low, high = 0.0, 12.0
    for _ in range(16):
        shift = (low + high) / 2
        mean = scored(kind, first, n, shift, (99,))[:, 0].mean()
        low, high = (shift, high) if mean < score else (low, shift)
    return shift


def measure(pool, replicates, kind, first, n, shifts, known):
    """Measure what is not known of one design; give all of it. Recordings that are too short get one score."""
    seeds = [(int(first * 10), n, chunk) for chunk in range(-(-replicates // CHUNK))]
    result = {"kind": kind, "correlation": first, "n": n, "replicates": CHUNK * len(seeds)}
    before = known if result.items() <= known.items() else {}
    coverage = {each["aimed"]: each for each in before.get("coverage", ())}
    too_short = kind == "pair" and n // block_length(first, n) < MIN_BLOCKS
    aims = SCORES[:1] if too_short else SCORES
    for score in aims:
        if score not in coverage:
            coverage[score] = covered(pool, kind, first, n, score, shifts[kind][score], seeds)
    result["coverage"] = [coverage[score] for score in aims]
    if "reject" not in before:
        found = np.concatenate(list(pool.map(partial(tested, kind, first, n), seeds)))
        before |= {"reject": float((found[:, 0] <= 0.05).mean()), "too_short": float(found[:, 1].mean())}  # noqa: PLR2004
    if kind == "pair" and "null_score" not in before:
        null = np.concatenate(list(pool.map(partial(scored, kind, first, n, 0.0), seeds[:5])))
        floor = np.concatenate(list(pool.map(partial(floored, first, n), seeds[:5])))
        before |= {
            "null_score": null[:, 0].mean(),
            "alternating_split": floor[:, 0].mean(),
            "half_split": floor[:, 1].mean(),
        }
    print(json.dumps(result := before | result), flush=True)
    return result


def covered(pool, kind, first, n, aimed, shift, seeds):
    """Measure how often intervals cover the mean score of all replicates."""
    found = np.concatenate(list(pool.map(partial(scored, kind, first, n, shift), seeds)))
    given = ~np.isnan(found[:, 1])
    truth = found[:, 0].mean()
    inside = (found[given, 1] <= truth) & (truth <= found[given, 2])
    width = float(np.median(found[given, 2] - found[given, 1])) if given.any() else None
    cover = float(inside.mean()) if given.any() else None
    return {"aimed": aimed, "score": truth, "cover": cover, "given": given.mean(), "width": width}


def name_of(result):
    """Name a design."""
    if result["kind"] == "pair":
        return f"ρ = {result['correlation']:g}, {result['n']} snippets"
    if result["kind"] == "group":
        return f"{result['n']} + {result['n']} recordings"
    return f"{result['n']} syllables, {'one token' if result['kind'] == 'tokens' else '3 tokens'} each"


def draw(results, folder):
    """Draw coverage, rejections and what correlation alone does."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "abxfast"
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 5), layout="constrained")
    left.axhspan(93, 97, color="0.92")
    middle.axvspan(4, 6, color="0.92")
    marks = {60: "o", 120: "s", 360: "^", 5: "P", 8: "X", 16: "D", 10: "v", 20: "<", 40: ">"}
    for row, each in enumerate(results):
        style = {"color": COLOURS[each["kind"], each["correlation"]], "marker": marks[each["n"]], "markersize": 5}
        points = [(c["score"], 100 * c["cover"]) for c in each["coverage"] if c["given"] > 0.5]  # noqa: PLR2004
        if points:
            left.plot(*zip(*points, strict=True), linewidth=0.8, **style)
        told = each["too_short"] > 0.5  # noqa: PLR2004
        middle.plot(100 * each["reject"], row, linestyle="", fillstyle="none" if told else "full", **style)
    left.set(
        xlabel="mean score",
        ylabel="coverage of 95 % intervals (%)",
        ylim=(90, 100),
        title="Intervals (marks: see right)",
    )
    middle.set(xlabel="rejections at p ≤ 0.05 (%)", xlim=(0, 10), title="Tests without a difference")
    names = [name_of(each) + (" (said to be too short)" if each["too_short"] > 0.5 else "") for each in results]  # noqa: PLR2004
    middle.set_yticks(range(len(names)), names, fontsize=8)
    middle.invert_yaxis()
    for n in SIZES:
        own = sorted((e for e in results if e["kind"] == "pair" and e["n"] == n), key=lambda e: e["correlation"])
        for key, label, colour, line in FLOORS:
            x, y = [e["correlation"] for e in own], [e[key] for e in own]
            right.plot(x, y, line, color=colour, marker=marks[n], markersize=5, label=f"{label}, {n}")
    right.set(xlabel="lag-one correlation ρ", ylabel="mean score", title="What correlation alone does")
    right.legend(fontsize=7)
    for kind in ("png", "svg"):
        figure.savefig(folder / f"calibration.{kind}", dpi=150, metadata={"Date": None} if kind == "svg" else None)


def table(results):
    """Give the table for RESULTS.md."""
    lines = [
        "| design | " + " | ".join(f"aimed at {score}" for score in SCORES) + " | rejects | too short |",
        "|---|" + "--:|" * (len(SCORES) + 2),
    ]
    for each in results:
        found = {c["aimed"]: f"{100 * c['cover']:.1f}" if c["given"] else "none given" for c in each["coverage"]}
        cells = [found.get(score, "") for score in SCORES]
        lines.append(
            f"| {name_of(each)} | {' | '.join(cells)} | {100 * each['reject']:.1f} | {100 * each['too_short']:.0f} % |"
        )
    lines += ["", "| ρ | snippets | two recordings | within | drift |", "|--:|--:|--:|--:|--:|"]
    lines += [
        f"| {e['correlation']:g} | {e['n']} | {e['null_score']:.3f} | {e['alternating_split']:.3f} | {e['half_split']:.3f} |"
        for e in results
        if e["kind"] == "pair"
    ]
    return "\n".join(lines)


@contextmanager
def without(module, names):
    """Take functions of a module of `abxfast.statistics` out: they say 1."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch(f"abxfast.statistics.{module}.{name}", return_value=1))
        yield


def parts():
    """Leave out parts of the method: print rejections without a difference, and coverage."""
    variants = {
        "as it is": (),
        "the cuts hide nothing": ("variance_inflation",),
        "no neighbour is left out": ("variance_inflation", "decorrelation_lag"),
        "snippets, not stretches, are permuted": ("variance_inflation", "block_length"),
        "both": ("variance_inflation", "decorrelation_lag", "block_length"),
    }
    for name, left_out in variants.items():
        found = []
        with without("permutation_design", left_out):
            for first, n in ((0.5, 60), (0.8, 360)):
                p = np.concatenate([tested("pair", first, n, (chunk, n))[:, 0] for chunk in range(5)])
                found.append(f"{100 * (p <= 0.05).mean():.1f}")  # noqa: PLR2004
        print(f"| {name} | {' | '.join(found)} |", flush=True)
    shift = shift_for(SCORES[2], "pair", 0.0, 60)
    for name, left_out in {"as it is": (), "the cuts hide nothing": ("variance_inflation",)}.items():
        covers = []
        with without("dependence", left_out):
            for first, n in ((0.5, 60), (0.8, 360)):
                found = np.concatenate([scored("pair", first, n, shift, (chunk, n)) for chunk in range(5)])
                covers.append(f"{100 * ((found[:, 1] <= (t := found[:, 0].mean())) & (t <= found[:, 2])).mean():.1f}")
        print(f"| {name} | {' | '.join(covers)} |", flush=True)


def main():
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--parts", action="store_true", help="leave out parts of the method in turn")
    options = parser.parse_args()
    if options.parts:
        parts()
        return
    path = options.output / "calibration.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    known = {(each["kind"], each["correlation"], each["n"]): each for each in kept}
    reference = {"pair": ("pair", 0.0, 60), "group": ("group", 0.0, 8)}
    reference |= {"tokens": ("tokens", 0.0, 20), "repeated": ("repeated", 0.0, REPEATED)}
    with ProcessPoolExecutor(options.jobs) as pool:
        shifts = {kind: {score: shift_for(score, *own) for score in SCORES} for kind, own in reference.items()}
        results = []
        for design in DESIGNS:
            results.append(measure(pool, options.replicates, *design, shifts, known.get(design, {})))
            done = {(each["kind"], each["correlation"], each["n"]): each for each in results}
            path.write_text(json.dumps(list((known | done).values()), indent=1) + "\n", encoding="utf-8")
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(results, options.output)
    print(table(results))


if __name__ == "__main__":
    main()
