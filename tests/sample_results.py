"""A results folder of made-up numbers in the shape that `abxfast.run_study` writes, for tests of figures and page."""

import json
import math
from pathlib import Path

import numpy as np

from abxfast.results import write_tables
from abxfast.results.read import FORMAT

LABEL = "microphone"
"""The column of the manifest by which recordings are classified."""


def make_results(
    folder,
    names,
    *,
    lengths=(1.0, 10.0),
    encoders=("mfcc",),
    variants=("layer18.max", "layer21.max", "layer21.mean"),
    labels=("headset", "table"),
    paths=None,
    experiment="recording-conditions",
    title="One tale",
    note="",
    listen_at=(20.0, 40.0),
    seed=0,
):
    """Write the folder: recordings with alternating labels, which are discriminated the better the longer the snippets.

    The tables follow the schema of `abxfast.results`. The two snippets to listen to of each pair start at `listen_at`.
    """
    folder = Path(folder)
    random = np.random.default_rng(seed)
    paths = paths or [f"../{name}" for name in names]
    label_of = [labels[number % len(labels)] for number in range(len(names))]
    tables = {"recordings": [_recording(*row, note, random) for row in zip(names, paths, label_of, strict=True)]}
    for encoder in encoders:
        for variant in variants:
            for length in lengths:
                key = {"experiment": experiment, "encoder": encoder, "variant": variant, "snippet_s": length}
                for name, rows in _analysis(length, names, paths, label_of, random, note, listen_at).items():
                    tables.setdefault(name, []).extend({**key, **row} for row in rows)
    write_tables(folder / "tables", tables, {LABEL: LABEL})
    run = _run(title, encoders, variants, lengths, experiment, len(names), note)
    (folder / "run.json").write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    return folder


def _recording(name, path, label, note, random):
    return {
        "recording": name,
        "path": path,
        "level_db": -30 * random.random(),
        "clipping": 0.0,
        "bandwidth_hz": 18000.0,
        "noise_db": -60.0,
        "seconds": 300 + 300 * random.random(),
        "rate_hz": 44100,
        "channels": 1,
        "note": note,
        LABEL: label,
    }


def _analysis(length, names, paths, label_of, random, note, listen_at):
    """Return the rows of one experiment, encoder, variant and length, without their key."""
    length = length or 30.0  # whole items
    effect = 0.32 * (1 - math.exp(-length / 8))
    tables = {"self_baselines": [], "pairs": [], "listening": []}
    for i, a in enumerate(names):
        tables["self_baselines"].append(_self_baseline(a, note, random))
        for j in range(i + 1, len(names)):
            noise = 0.03 * random.standard_normal()
            score = float(np.clip(0.52 + effect * (label_of[i] != label_of[j]) + noise, 0.3, 0.99))
            tables["pairs"].append(_pair(a, names[j], score, note))
            for role, share, x, start in (("most", 1.0, i, listen_at[0]), ("least", 0.1, j, listen_at[1])):
                tables["listening"].append(
                    {"a": a, "b": names[j], "recording": names[x], "path": paths[x], "role": role, "share": share}
                    | {"start_s": start, "end_s": start + length}
                )
    scores = [row["score"] for row in tables["pairs"]]
    summary = _summary(float(np.mean(scores)), len(names), len(scores), length, note)
    confound = {"correlation": 0.3, "p": 0.04, "pairs": len(scores), "note": note}
    sentence = f"{names[0]} and {names[-1]} are discriminated. {note}"
    return (
        tables
        | {"summary": [summary], "sentences": [{"kind": "summary", "text": sentence}]}
        | {"confounds": [{"measure": measure} | confound for measure in ("level_db", "noise_db")]}
        | _classification(names, label_of, note)
    )


def _self_baseline(name, note, random):
    score = 0.5 + 0.03 * random.standard_normal()
    return {
        "label": name,
        "alternating_split": score,
        "alternating_split_low": score - 0.04,
        "alternating_split_high": score + 0.04,
        "half_split": score + 0.02,
        "half_split_low": score,
        "half_split_high": 0.6,
        "n": 60,
        "note": note,
    }


def _pair(a, b, score, note):
    return {
        "on": "recording",
        "a": a,
        "b": b,
        "context": "",
        "score_ab": score - 0.01,
        "score_ba": score + 0.01,
        "score": score,
        "low": score - 0.05,
        "high": min(1.0, score + 0.05),
        "p": 0.01,
        "p_holm": 0.04,
        "p_bh": 0.02,
        "triplets_ab": 1000,
        "triplets_ba": 1001,
        "n_a": 60,
        "n_b": 58,
        "note": note,
    }


def _summary(score, n_recordings, n_pairs, length, note):
    return {
        "score": score,
        "low": score - 0.03,
        "high": score + 0.03,
        "p": 0.0001,
        "cells": 2 * n_pairs,
        "triplets": 2001 * n_pairs,
        "recordings": n_recordings,
        "snippets": 60,
        "dim": 1024,
        "dims_per_frame": 1024 / length / 49,
        "note": note,
    }


def _classification(names, label_of, note):
    """Return the tables of a classification in which every recording is right."""
    accuracy = {"accuracy": 1.0, "low": 0.7, "high": 1.0, "chance": 0.5, "n": len(names), "note": note}
    kinds = sorted(set(label_of))
    tables = {
        "classification": [
            {"recording": name, "label": label, "predicted": label, "correct": True}
            for name, label in zip(names, label_of, strict=True)
        ],
        "accuracy": [accuracy],
        "confusion": [
            {"label": label, "predicted": predicted, "n": label_of.count(label) if label == predicted else 0}
            for label in kinds
            for predicted in kinds
        ],
    }
    return {name: [{"classify": LABEL} | row for row in rows] for name, rows in tables.items()}


def _run(title, encoders, variants, lengths, experiment, count, note):
    """Return run.json."""
    return {
        "format": FORMAT,
        "title": title,
        "abxfast": "0.1.0",
        "study_sha256": "0" * 64,
        "manifest_sha256": "1" * 64,
        "seed": 0,
        "permutations": 10000,
        "tools": {"python": "3.13.1", "numpy": "2.2"},
        "encoders": [{"name": name, "asked": name} | _encoder(variants, note) for name in encoders],
        "experiments": [_experiment(experiment, lengths, count, note)],
        "plan": {"recordings": count, "audio_s": 4512.3, "snippets": {"10": 440}, "cells": 132, "triplets": 123456789},
        "failures": [{"name": f"broken{note}.wav", "reason": f"is cut short {note}"}],
    }


def _encoder(variants, note):
    parity_row = {"difference": 0.02, "angle": 1e-4, "drift": 0.0069, "drift95": 0.0073, "abx": 0.0079}
    return {
        "sha256": "ab" * 32,
        "provider": "cpu",
        "dim": 1024,
        "variants": list(variants),
        "default_variant": variants[-1],
        "sample_rate_hz": 16000,
        "least_samples": 400,
        "frame_hop_samples": 320,
        "normalisation": "none",
        "precision": "fp32",
        "source": "made for tests",
        "revision": "",
        "weights_sha256": "",
        "licence": "MIT",
        "tools": {"onnx": "1.19"},
        "parity": {
            "greatest |x|": [3.5 + n for n in range(25)],
            "kept in fp32": [],
            "note": note,
            "rows": [{"variant": variants[-1], "snippet_s": 10.0} | parity_row],
        },
    }


def _experiment(name, lengths, count, note):
    return {
        "name": name,
        "title": note,
        "on": "recording",
        "by": [],
        "across": [],
        "where": {},
        "different": [],
        "min_gap_s": 0.0,
        "classify": [LABEL],
        "snippets": list(lengths),
        "recordings": count,
        "items": count,
    }
