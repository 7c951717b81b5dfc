"""Count the differences that the whole program finds between recordings of noise, with and without a difference.

    python benchmarks/statistics/noise.py

Each study has 12 recordings of 120 s, scored with `mfcc.mean` at 1 s. The spectrum of the noise has 12 bands of equal
width. In *white* noise they are constant; in *wandering* noise the level of each band is 3 dB times a process of which
70% of the variance is first-order autocorrelated with 0.2 from second to second, and 30% with 0.95; in *stepping* noise
each band's level steps once by 3 dB times a normal deviate. Without a difference, all pairs of recordings are compared.
With one, the spectrum of six of the recordings is tilted by so many dB in all, and ON is the group.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import lfilter

from abxfast import read_results, run_study

RATE_HZ, SECONDS, N_RECORDINGS, N_BANDS, LEVEL_DB = 16_000, 120, 12, 12, 3.0
STUDY = """
[study]
title = "Noise"
manifest = "manifest.csv"
snippets = [1]
variants = ["mfcc.mean"]
permutations = 9999

[experiment.noise]
on = "{on}"
{different}
"""


def band_levels(random, kind):
    """Return the level of each band in each second in dB, ``(SECONDS, N_BANDS)``."""
    if kind == "white":
        return np.zeros((SECONDS, N_BANDS))
    if kind == "stepping":
        step_s = random.integers(SECONDS // 5, SECONDS - SECONDS // 5)
        after = np.arange(SECONDS)[:, None] >= step_s
        return LEVEL_DB * random.standard_normal(N_BANDS) * after
    levels = np.zeros((SECONDS, N_BANDS))
    for share, correlation in ((0.7, 0.2), (0.3, 0.95)):
        innovations = random.standard_normal((SECONDS + 200, N_BANDS))
        series = np.sqrt(1 - correlation**2) * lfilter([1], [1, -correlation], innovations, axis=0)
        levels += np.sqrt(share) * series[200:]
    return LEVEL_DB * levels


def make_noise(random, kind, tilt_db):
    """Return the samples of one recording."""
    levels = band_levels(random, kind) + tilt_db * np.linspace(-0.5, 0.5, N_BANDS)
    n = RATE_HZ // 2  # half-overlapping frames of 1 s, cross-faded
    window = np.sin(np.pi * (np.arange(2 * n) + 0.5) / (2 * n))
    samples = np.zeros((SECONDS + 1) * RATE_HZ)
    band = np.minimum(np.arange(n + 1) * N_BANDS // (n + 1), N_BANDS - 1)
    for frame in range(2 * SECONDS):
        spectrum = np.fft.rfft(random.standard_normal(2 * n)) * 10 ** (levels[frame // 2][band] / 20)
        samples[frame * n : frame * n + 2 * n] += window * np.fft.irfft(spectrum)
    return 0.05 * samples[: SECONDS * RATE_HZ].astype(np.float32)


def count_verdicts(seed, kind, tilt_db):
    """Return the verdicts of a study of noise; ON is the recording without a tilt, and the group with one."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for number in range(N_RECORDINGS):
            group = "tilted" if number < N_RECORDINGS // 2 else "plain"
            samples = make_noise(random, kind, tilt_db if group == "tilted" else 0.0)
            soundfile.write(folder / f"noise-{number}.wav", samples, RATE_HZ)
            rows.append({"path": f"noise-{number}.wav", "group": group})
        with (folder / "manifest.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["path", "group"])
            writer.writeheader()
            writer.writerows(rows)
        on, different = ("group", 'different = ["recording"]') if tilt_db else ("recording", "")
        (folder / "study.toml").write_text(STUDY.format(on=on, different=different))
        run_study(folder / "study.toml", folder / "results")
        pairs = read_results(folder / "results").tables["pairs"]
        verdicts = pairs["verdict"].to_pylist()
        return verdicts, [score for score in pairs["score"].to_pylist() if score is not None]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=5, help="per row")
    arguments = parser.parse_args()
    print("| noise | tilt of six recordings, dB | different | no evidence | equivalent | cannot be judged | score |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for kind in ("white", "wandering", "stepping"):
        for tilt_db in (0, 1, 2, 3):
            verdicts, scores = [], []
            for seed in range(arguments.studies):
                some_verdicts, some_scores = count_verdicts([seed, tilt_db], kind, tilt_db)
                verdicts += some_verdicts
                scores += some_scores
            counts = [verdicts.count(each) for each in ("different", "no_evidence", "equivalent", "undecidable")]
            n = len(verdicts)
            print(
                f"| {kind} | {tilt_db} | {' | '.join(f'{c} of {n}' for c in counts)} | {np.mean(scores):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
