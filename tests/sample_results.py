"""A results folder of made-up numbers in the shape that ``abxfast run`` writes, for tests of figures and page."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KEY = {"experiment": "s", "encoder": "s", "variant": "s", "snippet_s": "f"}
COLUMNS = {
    "pairs": {
        **KEY, "on": "s", "a": "s", "b": "s", "context": "s", "score_ab": "f", "score_ba": "f", "score": "f",
        "low": "f", "high": "f",
        "p": "f", "p_holm": "f", "p_bh": "f", "triplets_ab": "i", "triplets_ba": "i", "n_a": "i", "n_b": "i",
        "note": "s",
    },
    "self_baselines": {
        **KEY, "label": "s", "alternating_split": "f", "alternating_split_low": "f", "alternating_split_high": "f", "half_split": "f", "half_split_low": "f",
        "half_split_high": "f", "n": "i", "note": "s",
    },
    "summary": {
        **KEY, "score": "f", "low": "f", "high": "f", "p": "f", "cells": "i", "triplets": "i", "recordings": "i",
        "snippets": "i", "dim": "i", "dims_per_frame": "f", "note": "s",
    },
    "recordings": {
        "recording": "s", "path": "s", "seconds": "f", "rate_hz": "i", "channels": "i", "level_db": "f",
        "clipping": "f", "bandwidth_hz": "f", "noise_db": "f", "note": "s", "microphone": "s",
    },
    "confounds": {**KEY, "measure": "s", "correlation": "f", "p": "f", "pairs": "i", "note": "s"},
    "classification": {**KEY, "classify": "s", "recording": "s", "label": "s", "predicted": "s", "correct": "b"},
    "accuracy": {
        **KEY, "classify": "s", "accuracy": "f", "low": "f", "high": "f", "chance": "f", "n": "i", "note": "s",
    },
    "confusion": {**KEY, "classify": "s", "label": "s", "predicted": "s", "n": "i"},
    "listening": {
        **KEY, "a": "s", "b": "s", "recording": "s", "start_s": "f", "end_s": "f", "role": "s",
        "share": "f", "path": "s",
    },
    "sentences": {**KEY, "kind": "s", "text": "s"},
}  # fmt: skip
TYPES = {"s": pa.string(), "f": pa.float64(), "i": pa.int64(), "b": pa.bool_()}


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
    heard_at=(20.0, 40.0),
    seed=0,
):
    """Write the folder: recordings of two kinds (their label alternates), told apart the better the longer."""
    folder = Path(folder)
    random = np.random.default_rng(seed)
    paths = paths or [f"../{name}" for name in names]
    kind = [labels[number % len(labels)] for number in range(len(names))]
    rows = {name: [] for name in COLUMNS}
    for name, path, label in zip(names, paths, kind, strict=True):
        measures = {"level_db": -30 * random.random(), "clipping": 0.0, "bandwidth_hz": 18000.0, "noise_db": -60.0}
        rows["recordings"].append(
            {"recording": name, "path": path, "seconds": 300 + 300 * random.random(), "rate_hz": 44100, "channels": 1}
            | measures
            | {"note": note, "microphone": label}
        )
    for encoder in encoders:
        for variant in variants:
            for length in lengths:
                key = {"experiment": experiment, "encoder": encoder, "variant": variant, "snippet_s": length}
                _fill(rows, key, names, paths, kind, random, note, heard_at)
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    for name, columns in COLUMNS.items():
        made = {column: pa.array([row.get(column) for row in rows[name]], TYPES[of]) for column, of in columns.items()}
        pq.write_table(pa.table(made), tables / f"{name}.parquet")
    run = _run(title, encoders, variants, lengths, experiment, len(names), note)
    (folder / "run.json").write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    return folder


def _fill(rows, key, names, paths, kind, random, note, heard_at):
    length = key["snippet_s"] or 30.0
    away = 0.32 * (1 - math.exp(-length / 8))
    scores = []
    for i, a in enumerate(names):
        within = 0.5 + 0.03 * random.standard_normal()
        floor = {
            "alternating_split": within,
            "alternating_split_low": within - 0.04,
            "alternating_split_high": within + 0.04,
            "half_split": within + 0.02,
        }
        rows["self_baselines"].append(
            {**key, "label": a, **floor, "half_split_low": within, "half_split_high": 0.6, "n": 60, "note": note}
        )
        for j in range(i + 1, len(names)):
            score = float(np.clip(0.52 + away * (kind[i] != kind[j]) + 0.03 * random.standard_normal(), 0.3, 0.99))
            scores.append(score)
            b = names[j]
            tests = {"p": 0.01, "p_holm": 0.04, "p_bh": 0.02, "triplets_ab": 1000, "triplets_ba": 1001, "n_a": 60}
            interval = {"score_ab": score - 0.01, "score_ba": score + 0.01, "score": score, "low": score - 0.05}
            rows["pairs"].append(
                {**key, "on": "recording", "a": a, "b": b, "context": "", **interval, "high": min(1.0, score + 0.05)}
                | tests
                | {"n_b": 58, "note": note}
            )
            for role, share, which, start in (("most", 1.0, i, heard_at[0]), ("least", 0.1, j, heard_at[1])):
                heard = {"recording": names[which], "path": paths[which], "start_s": start, "end_s": start + length}
                rows["listening"].append({**key, "a": a, "b": b, **heard, "role": role, "share": share})
        right = {"classify": "microphone", "recording": a, "label": kind[i], "predicted": kind[i], "correct": True}
        rows["classification"].append({**key, **right})
    mean = float(np.mean(scores))
    counts = {
        "cells": 2 * len(scores),
        "triplets": 2001 * len(scores),
        "recordings": len(names),
        "snippets": 60,
        "dim": 1024,
    }
    summary = {"score": mean, "low": mean - 0.03, "high": mean + 0.03, "p": 0.0001, **counts, "note": note}
    rows["summary"].append({**key, **summary, "dims_per_frame": 1024 / length / 49})
    for measure in ("level_db", "noise_db"):
        rows["confounds"].append(
            {**key, "measure": measure, "correlation": 0.3, "p": 0.04, "pairs": len(scores), "note": note}
        )
    rates = {
        "classify": "microphone",
        "accuracy": 1.0,
        "low": 0.7,
        "high": 1.0,
        "chance": 0.5,
        "n": len(names),
        "note": note,
    }
    rows["accuracy"].append({**key, **rates})
    found = sorted(set(kind))
    for own in found:
        for given in found:
            count = kind.count(own) if own == given else 0
            rows["confusion"].append({**key, "classify": "microphone", "label": own, "predicted": given, "n": count})
    rows["sentences"].append({**key, "kind": "summary", "text": f"{names[0]} and {names[-1]} are told apart. {note}"})


def _run(title, encoders, variants, lengths, experiment, count, note):
    described = {
        "sha256": "ab" * 32, "provider": "cpu", "dim": 1024, "variants": list(variants),
        "default_variant": variants[-1],
        "sample_rate_hz": 16000, "least_samples": 400, "frame_hop_samples": 320, "normalisation": "none",
        "precision": "fp32", "source": "made for tests", "revision": "", "weights_sha256": "", "licence": "MIT",
        "tools": {"onnx": "1.19"},
        "parity": {"greatest |x|": [3.5 + n for n in range(25)], "kept in fp32": [], "note": note, "rows": [
            {"variant": variants[-1], "snippet_s": 10.0, "difference": 0.02, "angle": 1e-4, "half_split": 0.0069,
             "drift95": 0.0073, "abx": 0.0079},
        ]},
    }  # fmt: skip
    study = {
        "name": experiment, "title": note, "on": "recording", "by": [], "across": [], "where": {}, "different": [],
        "min_gap_s": 0.0, "classify": ["microphone"], "snippets": list(lengths), "recordings": count, "items": count,
    }  # fmt: skip
    return {
        "format": 1,
        "title": title,
        "abxfast": "0.1.0",
        "study_sha256": "0" * 64,
        "manifest_sha256": "1" * 64,
        "seed": 0,
        "permutations": 10000,
        "tools": {"python": "3.13.1", "numpy": "2.2"},
        "encoders": [{"name": name, "asked": name, **described} for name in encoders],
        "experiments": [study],
        "plan": {"recordings": count, "audio_s": 4512.3, "snippets": {"10": 440}, "cells": 132, "triplets": 123456789},
        "failures": [{"name": f"broken{note}.wav", "reason": f"is cut short {note}"}],
    }
