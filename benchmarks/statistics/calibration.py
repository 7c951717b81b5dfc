"""Check by simulation that verdicts are seldom wrong, that 95% intervals cover 95%, and what differences are found.

The designs are described in ``designs.py``, the processes in ``processes.py``. An interval should cover the mean score
over all replicates, i.e. the expected score of recordings of that length.

    python benchmarks/statistics/calibration.py               # designs that calibration.json lacks
    python benchmarks/statistics/calibration.py -o elsewhere  # all designs, into another folder
    python benchmarks/statistics/calibration.py --draw        # the figure and the tables of what is there

1,000 replicates without a difference, 500 for the coverage at each score, and 200 with a difference, for verdicts.
"""

from __future__ import annotations

import argparse
import json
import logging
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from designs import CHUNK, DESIGNS, Design, reference_of
from presentation import draw, to_markdown
from replicates import VERDICTS, baseline_replicates, find_shift, judge_replicates, score_replicates

logging.getLogger("abxfast").setLevel(logging.ERROR)  # that A and X share a recording is intended here
SCORES = (0.55, 0.65, 0.75, 0.85, 0.95)
JUDGED_SCORES = (0.55, 0.75)
LEVEL = 0.05
REPLICATES = {"null": 1000, "coverage": 500, "judged": 200}
BASELINE_CHUNKS = 5


def measure(pool, design, scale):
    """Measure, print and return one design."""

    def seeds(purpose):
        return [(number, purpose == "null", chunk) for number, chunk in _chunks(design, REPLICATES[purpose] * scale)]

    null = _map_chunks(pool, partial(judge_replicates, design, 0.0), seeds("null"))
    result = {
        **design._asdict(),
        "replicates": {purpose: CHUNK * len(seeds(purpose)) for purpose in REPLICATES},
        "verdicts": _shares(null),
        "reject": float((null[:, 3] <= LEVEL).mean()),
        "coverage": [{"aimed": 0.5, **_coverage(null)}],
        "judged": [],
    }
    for score in SCORES:
        intervals = _map_chunks(pool, partial(_interval_rows, design, _shift(design, score)), seeds("coverage"))
        result["coverage"].append({"aimed": score, **_coverage(intervals)})
    for score in JUDGED_SCORES:
        judged = _map_chunks(pool, partial(judge_replicates, design, _shift(design, score)), seeds("judged"))
        result["judged"].append({"aimed": score, "score": judged[:, 0].mean(), "verdicts": _shares(judged)})
    if design.kind == "pair":
        some = seeds("null")[:BASELINE_CHUNKS]
        baselines = _map_chunks(pool, partial(baseline_replicates, design), some)
        result |= {
            "alternating_split": float(np.nanmean(baselines[:, 0])),
            "half_split": float(np.nanmean(baselines[:, 1])),
        }
    print(json.dumps(result), flush=True)
    return result


def _chunks(design, replicates):
    number = DESIGNS.index(design)
    return [(number, chunk) for chunk in range(max(1, round(replicates / CHUNK)))]


def _interval_rows(design, shift, seed):
    intervals = score_replicates(design, shift, seed)
    return np.stack((intervals.score, intervals.low, intervals.high), axis=1)


def _coverage(rows):
    """Return how often intervals cover the mean score, in how many replicates there is one, and their median width."""
    score, low, high = rows[:, :3].T
    given, mean = ~np.isnan(low), score.mean()
    covered = (low[given] <= mean) & (mean <= high[given])
    width = float(np.median(high[given] - low[given])) if given.any() else None
    return {
        "score": float(mean),
        "cover": float(covered.mean()) if given.any() else None,
        "given": float(given.mean()),
        "width": width,
    }


def _shares(rows):
    counts = np.bincount(rows[:, 4].astype(np.int64), minlength=len(VERDICTS))
    return dict(zip(VERDICTS, (counts / len(rows)).tolist(), strict=True))


def _map_chunks(pool, function, seeds):
    return np.concatenate(list(pool.map(function, seeds)))


@cache
def _find_shift(reference, score):
    return find_shift(reference, score)


def _shift(design, score):
    return _find_shift(reference_of(design), score)


def main():
    """Measure, write the results and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="replicates, times those stated above")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="folder of calibration.json")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    path = arguments.output / "calibration.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    known = {Design(*(result[name] for name in Design._fields)): result for result in results}
    if not arguments.draw:
        with ProcessPoolExecutor(arguments.jobs) as pool:
            for design in DESIGNS:
                if design not in known:
                    known[design] = measure(pool, design, arguments.scale)
                    # Written after each design: a stopped run can be continued.
                    _write(path, list(known.values()))
    results = [known[design] for design in DESIGNS if design in known]
    _write(path, results)
    draw(results, arguments.output)
    print(to_markdown(results))


def _write(path, results):
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
