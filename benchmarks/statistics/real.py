"""Count how often two pieces of one real recording are called different.

    python benchmarks/studies/speech.py --fetch speech && apt-get install festival festvox-kallpc16k
    python benchmarks/statistics/real.py --speech speech

Eleven recordings of 6 to 8 minutes are made from Debian's packages of speech:

- *prompts*: Asterisk's prompts of one voice in alphabetical order, without those of silence, in four disjoint parts of
  equal duration; two of them also through GSM. Digits and letters follow each other in that order, so that the kind of
  speech changes in some parts.
- *Mandarin*: the syllables of each of the two speakers of gcin-voice, in random order (seed 0).
- *Malayalam*: letters and syllables of klettres-data, in random order (seed 0).
- *licence*: two licences that festival reads, paragraph by paragraph; left out if it is not installed.

Each is embedded with `mfcc` at 1, 5 and 10 s. Its first half is compared with its second half, and its even pieces of
30 s with its odd ones; for these, "different" is a false call. Two parts of the prompts, and two licences, are compared
as well: one voice and one channel, but other texts, so that a difference may be real.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from abxfast import embed, score_embeddings
from abxfast.statistics import (
    UnitPairMarginals,
    decide,
    estimate_autocorrelation,
    jackknife_intervals,
    make_exchangeable_units,
    permutation_tests,
    sum_by_unit,
)
from abxfast.store import open_store

RATE_HZ, MAX_S, PIECE_S, N_PARTS = 16_000, 480, 30, 4
LENGTHS_S = (1, 5, 10)
VARIANTS = ("mfcc.max", "mfcc.mean")
VERDICTS = ("different", "no_evidence", "equivalent", "undecidable")
LICENCES = ("GPL-3", "MPL-2.0")
SPEAKERS = (3, 5)
P_FALSE = 0.05


class Comparison(NamedTuple):
    """A comparison of two pieces of speech."""

    kind: str
    length_s: int
    variant: str
    name: str
    verdict: str
    reason: str
    score: float
    low: float
    high: float
    p: float
    drift_p: float


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--speech", type=Path, default=os.environ.get("ABXFAST_SPEECH"), help="the unpacked packages (ABXFAST_SPEECH)"
    )
    parser.add_argument("--licences", type=Path, default="/usr/share/common-licenses", help="the folder of licences")
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--all", action="store_true", help="list every comparison, not only those called different")
    arguments = parser.parse_args()
    if arguments.speech is None:
        parser.error("--speech: name the folder of the unpacked packages")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_recordings(arguments.speech / "usr/share", arguments.licences, folder)
        vectors = read_vectors(folder)
    comparisons = list(compare_all(vectors, arguments.permutations))
    print_counts(comparisons)
    print_recordings(vectors)
    print_comparisons([each for each in comparisons if arguments.all or each.verdict == "different"])


def make_recordings(share, licences, folder):
    """Write all recordings into a folder."""
    sounds = share / "asterisk/sounds/en_US_f_Allison"
    prompts = sorted(path for path in sounds.rglob("*.wav") if path.parent.name != "silence")
    ends_s = np.cumsum([soundfile.info(path).duration for path in prompts])
    part = np.minimum(ends_s * N_PARTS // ends_s[-1], N_PARTS - 1).astype(int)
    for number in range(N_PARTS):
        paths = [path for path, its_part in zip(prompts, part, strict=True) if its_part == number]
        write_recording(folder / f"prompts-{number + 1}.wav", paths)
        if number < 2:  # noqa: PLR2004
            write_recording(folder / f"prompts-{number + 1}-gsm.wav", [path.with_suffix(".gsm") for path in paths])
    for speaker in SPEAKERS:
        paths = sorted((share / "gcin-voice/ogg").glob(f"*/{speaker}.ogg"))
        write_recording(folder / f"mandarin-{speaker}.wav", shuffle(paths))
    write_recording(folder / "malayalam.wav", shuffle(sorted((share / "klettres/ml").rglob("*.ogg"))))
    if shutil.which("text2wave"):
        for number, licence in enumerate(LICENCES, 1):
            read_aloud((licences / licence).read_text(encoding="utf-8"), folder / f"licence-{number}.wav")


def shuffle(paths):
    """Return paths in random order."""
    return [paths[i] for i in np.random.default_rng(0).permutation(len(paths))]


def write_recording(path, sources):
    """Concatenate audio files, up to `MAX_S` seconds."""
    waves, n_samples = [], 0
    for source in sources:
        # Not with `abxfast.audio`, which refuses the Malayalam files: their last pages are not marked as such.
        wave, rate_hz = soundfile.read(source, dtype="float32", always_2d=True)
        wave = soxr.resample(wave.mean(axis=1), rate_hz, RATE_HZ)
        waves.append(wave)
        n_samples += len(wave)
        if n_samples >= MAX_S * RATE_HZ:
            break
    soundfile.write(path, np.concatenate(waves)[: MAX_S * RATE_HZ], RATE_HZ)


def read_aloud(text, path):
    """Let festival read a text, paragraph by paragraph, up to `MAX_S` seconds."""
    with tempfile.TemporaryDirectory() as name:
        sources, n_seconds = [], 0.0
        for number, paragraph in enumerate(text.split("\n\n")):
            if n_seconds >= MAX_S:
                break
            if not any(letter.isalpha() for letter in paragraph):
                continue
            source, sound = Path(name, f"{number}.txt"), Path(name, f"{number}.wav")
            source.write_text(" ".join(paragraph.split()), encoding="ascii", errors="ignore")
            subprocess.run(["text2wave", source, "-o", sound], check=True)  # noqa: S603, S607
            sources.append(sound)
            n_seconds += soundfile.info(sound).duration
        write_recording(path, sources)


def read_vectors(folder):
    """Return the vectors and starts of each recording, by length, variant and name."""
    report = embed(folder, folder / "store", snippets=LENGTHS_S, threads=1)
    if report.failures:
        raise RuntimeError(report.failures)
    store, vectors = open_store(folder / "store"), {}
    for length_s, variant in itertools.product(LENGTHS_S, VARIANTS):
        snippets = store.read(length_s, variant)
        recordings = np.array([Path(each).stem for each in snippets.recordings])
        vectors[length_s, variant] = {
            name: (snippets.embeddings[recordings == name], snippets.start_s[recordings == name])
            for name in np.unique(recordings).tolist()
        }
    return vectors


def compare_all(vectors, permutations):
    """Yield all comparisons."""
    for (length_s, variant), recordings in vectors.items():
        for name, (embeddings, start_s) in recordings.items():
            half = np.arange(len(start_s)) * 2 // len(start_s)
            odd = (start_s // PIECE_S).astype(np.int64) % 2
            for kind, side in (("first and second half", half), ("even and odd pieces", odd)):
                yield Comparison(
                    kind, length_s, variant, name, *compare(embeddings, side.astype(np.int64), start_s, permutations)
                )
        for one, other in itertools.combinations(recordings, 2):
            if kind := kind_of_texts(one, other):
                pair = [recordings[one], recordings[other]]
                embeddings, start_s = (np.concatenate(each) for each in zip(*pair, strict=True))
                side = np.repeat([0, 1], [len(each) for each, _ in pair])
                yield Comparison(
                    kind, length_s, variant, f"{one}, {other}", *compare(embeddings, side, start_s, permutations)
                )


def kind_of_texts(one, other):
    """Return the kind of two texts by one voice through one channel; empty if two recordings are not that."""
    if "gsm" in one + other or one.partition("-")[0] != other.partition("-")[0]:
        return ""
    return {"prompts": "two parts of the prompts", "licence": "two licences"}.get(one.partition("-")[0], "")


def compare(embeddings, side, start_s, permutations):
    """Return verdict, reason, score, interval, p and drift p of two sides, each as one recording."""
    units = make_exchangeable_units(embeddings, side, side, start_s)
    labels = {"side": side, "unit": units.unit}
    scores = score_embeddings(embeddings, labels, on="side", marginals=True, pair_marginals="unit", threads=1)
    wins2, triplets = (scores.table[column].to_numpy() for column in ("wins2", "triplets"))
    marginals, pairs = sum_by_unit(scores.marginals, units.unit), UnitPairMarginals.from_table(scores.pair_marginals)
    intervals = jackknife_intervals(wins2, triplets, marginals, np.zeros(len(wins2), np.int64), units, pairs=pairs)
    tests = permutation_tests(embeddings, side, units, np.array([[0, 1]]), permutations=permutations)
    verdict = decide(tests, intervals)[0]
    ends = intervals.score[0], intervals.low[0], intervals.high[0]
    return *verdict, *ends, tests.p[0], tests.drift_p[0]


def print_counts(comparisons):
    """Print how many comparisons of each kind and length got each verdict."""
    print("| compared | snippets | different | no evidence | equivalent | cannot be judged | p ≤ 0.05 |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for kind in dict.fromkeys(each.kind for each in comparisons):
        for length_s in LENGTHS_S:
            some = [each for each in comparisons if (each.kind, each.length_s) == (kind, length_s)]
            n, verdicts = len(some), [each.verdict for each in some]
            counts = " | ".join(f"{verdicts.count(verdict)} of {n}" for verdict in VERDICTS)
            share = np.mean([each.p <= P_FALSE for each in some])
            print(f"| {kind} | {length_s} s | {counts} | {share:.0%} |")


def print_recordings(vectors):
    """Print the duration of each recording, and its autocorrelation at 1 s."""
    heads = " | ".join(f"τ of {variant}, snippets | drifts" for variant in VARIANTS)
    print(f"\n| recording | minutes | {heads} |\n|---|--:|{'--:|:--|' * len(VARIANTS)}")
    for name, (_, start_s) in vectors[1, VARIANTS[0]].items():
        cells = []
        for variant in VARIANTS:
            autocorrelation = estimate_autocorrelation([vectors[1, variant][name][0]])
            cells += [f"{autocorrelation.time:.1f}", "yes" if autocorrelation.drifts else "no"]
        print(f"| {name} | {len(start_s) / 60:.1f} | {' | '.join(cells)} |")


def print_comparisons(comparisons):
    """Print comparisons one by one."""
    print("\n| compared | snippets | variant | recording | verdict | score | interval | p | p of drift |")
    print("|---|--:|---|---|---|--:|---|--:|--:|")
    for each in comparisons:
        verdict = f"{each.verdict}: {each.reason}" if each.reason else each.verdict
        interval = "" if np.isnan(each.low) else f"{each.low:.2f}–{each.high:.2f}"
        print(
            f"| {each.kind} | {each.length_s} s | {each.variant} | {each.name} | {verdict} "
            f"| {each.score:.3f} | {interval} | {each.p:.3f} | {each.drift_p:.3f} |"
        )


if __name__ == "__main__":
    main()
