"""Check by simulation that 95% intervals cover 95% and that tests at 5% reject 5%.

The designs are described in ``designs.py``. An interval should cover the mean score over all replicates, i.e. the
expected score of recordings of that length.

    python benchmarks/statistics/calibration.py               # designs that calibration.json lacks, 2,000 replicates
    python benchmarks/statistics/calibration.py -o elsewhere  # all designs, into another folder
    python benchmarks/statistics/calibration.py --parts       # leave out parts of the procedure in turn
"""

from __future__ import annotations

import argparse
import json
import logging
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from unittest import mock

import numpy as np
from designs import CHUNK, DESIGNS, REFERENCES, Design
from presentation import draw, to_markdown
from replicates import baseline_replicates, find_shift, score_replicates, test_replicates

from abxfast.statistics.dependence import MIN_BLOCKS, block_length

logging.getLogger("abxfast").setLevel(logging.ERROR)  # that A and X share a recording is intended here
SCORES = (0.55, 0.65, 0.75, 0.85, 0.95)
LEVEL = 0.05
BASELINE_CHUNKS = 5
PARTS_DESIGNS = (Design("pair", 0.5, 60), Design("pair", 0.8, 360))
NO_CORRECTION = "without the correction for correlation across block boundaries"
ABLATIONS = {
    "complete procedure": (),
    NO_CORRECTION: ("variance_inflation",),
    "… and neighbours included": ("variance_inflation", "decorrelation_lag"),
    "… or snippets permuted instead of blocks": ("variance_inflation", "block_length"),
    "… or both: snippets permuted freely": ("variance_inflation", "decorrelation_lag", "block_length"),
}
"""Functions of `abxfast.statistics` to replace by the constant 1."""


def measure(pool, replicates, design, known):
    """Measure what `known` lacks of one design, print and return all of it; designs too short get one score only."""
    seeds = [(int(design.correlation * 10), design.n, chunk) for chunk in range(-(-replicates // CHUNK))]
    result = {**design._asdict(), "replicates": CHUNK * len(seeds)}
    kept = dict(known) if result.items() <= known.items() else {}
    coverage = {each["aimed"]: each for each in kept.get("coverage", ())}
    too_short = design.kind == "pair" and design.n // block_length(design.correlation, design.n) < MIN_BLOCKS
    scores = SCORES[:1] if too_short else SCORES
    for score in scores:
        if score not in coverage:
            coverage[score] = measure_coverage(pool, design, score, seeds)
    result["coverage"] = [coverage[score] for score in scores]
    if "reject" not in kept:
        p, reported = _map_chunks(pool, partial(test_replicates, design), seeds).T
        kept |= {"reject": float((p <= LEVEL).mean()), "too_short": float(reported.mean())}
    if design.kind == "pair" and "null_score" not in kept:
        null = _map_chunks(pool, partial(score_replicates, design, 0.0), seeds[:BASELINE_CHUNKS])
        baselines = _map_chunks(pool, partial(baseline_replicates, design), seeds[:BASELINE_CHUNKS])
        kept |= {
            "null_score": null[:, 0].mean(),
            "alternating_split": baselines[:, 0].mean(),
            "half_split": baselines[:, 1].mean(),
        }
    result = kept | result
    print(json.dumps(result), flush=True)
    return result


def measure_coverage(pool, design, target, seeds):
    """Measure how often intervals cover the mean score of all replicates, for the shift that should score `target`."""
    score, low, high = _map_chunks(pool, partial(score_replicates, design, shift_for(design.kind, target)), seeds).T
    given, mean = ~np.isnan(low), score.mean()
    covered = (low[given] <= mean) & (mean <= high[given])
    width = float(np.median(high[given] - low[given])) if given.any() else None
    cover = float(covered.mean()) if given.any() else None
    return {"aimed": target, "score": mean, "cover": cover, "given": given.mean(), "width": width}


def _map_chunks(pool, function, seeds):
    return np.concatenate(list(pool.map(function, seeds)))


@cache
def shift_for(kind, score):
    """Return the shift that yields a score on the reference design of a kind."""
    return find_shift(REFERENCES[kind], score)


@contextmanager
def without(module, names):
    """Replace functions of a module of `abxfast.statistics` by the constant 1."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch(f"abxfast.statistics.{module}.{name}", return_value=1))
        yield


def print_parts(chunks):
    """Print rejections without a difference, and coverage, with parts of the procedure left out in turn."""
    seeds = {design: [(chunk, design.n) for chunk in range(chunks)] for design in PARTS_DESIGNS}
    columns = " | ".join(f"ρ = {design.correlation:g}, {design.n} snippets" for design in PARTS_DESIGNS)
    print(f"| rejections at p ≤ 0.05 without a difference, % | {columns} |\n|---|--:|--:|")
    for name, functions in ABLATIONS.items():
        cells = []
        with without("permutation_design", functions):
            for design, chunk_seeds in seeds.items():
                p = np.concatenate([test_replicates(design, seed)[:, 0] for seed in chunk_seeds])
                cells.append(f"{100 * (p <= LEVEL).mean():.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    target = SCORES[2]
    shift = shift_for("pair", target)
    print(f"\n| coverage of 95% intervals at {target}, % | {columns} |\n|---|--:|--:|")
    for name in ("complete procedure", NO_CORRECTION):
        cells = []
        with without("dependence", ABLATIONS[name]):
            for design, chunk_seeds in seeds.items():
                score, low, high = np.concatenate([score_replicates(design, shift, seed) for seed in chunk_seeds]).T
                cells.append(f"{100 * ((low <= score.mean()) & (score.mean() <= high)).mean():.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main():
    """Measure, write the results and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, help="per design; by default 2,000, and 500 with --parts")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="folder of calibration.json")
    parser.add_argument("--parts", action="store_true", help="leave out parts of the procedure in turn, and print")
    arguments = parser.parse_args()
    if arguments.parts:
        print_parts(-(-(arguments.replicates or 500) // CHUNK))
        return
    path = arguments.output / "calibration.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    known = {_design_of(result): result for result in kept}
    results = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for design in DESIGNS:
            results.append(measure(pool, arguments.replicates or 2000, design, known.get(design, {})))
            # Written after each design, with the known results of those to come: a stopped run can be continued.
            _write(path, list((known | {_design_of(result): result for result in results}).values()))
    _write(path, results)
    draw(results, arguments.output)
    print(to_markdown(results, SCORES))


def _design_of(result):
    return Design(result["kind"], result["correlation"], result["n"])


def _write(path, results):
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
