"""The section of RESULTS.md on encoders, with its bars, and the figure of ``benchmarks/encoding/embed.py``."""

from __future__ import annotations

import json
import platform
import re
import statistics
from importlib.metadata import version
from pathlib import Path

import numpy as np
from prepare import DRIFT_S, LENGTHS_S
from runners import CPU, GEMM, RUNNERS, usable_threads

GFLOP_PER_AUDIO_SECOND = 34
"""Of the 21 blocks."""
REFERENCE = "torch-fp32"
MAX_OTHER_LOAD = 0.05
"""Share of the machine that other work may take in a run that counts."""
CPU_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "i8mm")
PACKAGES = ("onnxruntime", "torch", "transformers", "openvino", "optimum-onnx", "numpy")
LENGTHS = tuple(str(length_s) for length_s in LENGTHS_S)
"""The lengths as they stand in the results."""
DRIFT_LENGTH = str(DRIFT_S)


def drift(vectors, reference):
    """Return mean and 95th percentile of (1 − cos to the reference) / mean distance between snippets."""
    a, b = (v.astype(np.float64) / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, reference))
    mean_distance = (1 - b @ b.T)[np.triu_indices(len(b), 1)].mean()
    drifts = np.maximum(1 - (a * b).sum(axis=1), 0) / mean_distance  # rounding puts some below 0
    return drifts.mean(), np.percentile(drifts, 95)


def read_drifts(folder, device):
    """Return the drifts of the runners that have vectors, each relative to PyTorch fp32 on the same checkpoint."""
    drifts = {}
    for name in RUNNERS[device]:
        path = folder / f"vectors-{device}-{name}.npy"
        reference = "stress-torch-fp32" if name.startswith("stress-") else REFERENCE
        reference_path = folder / f"vectors-cpu-{reference}.npy"
        if path.exists() and reference_path.exists() and path != reference_path:
            drifts[name] = drift(np.load(path), np.load(reference_path))
    return drifts


def describe_machine():
    """Return a line with the processor and the versions of the packages."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    model, flags = re.search(r"model name\s*: (.*)", text), re.search(r"(?:flags|Features)\s*: (.*)", text)
    present = [flag for flag in CPU_FLAGS if flags and flag in flags[1].split()]
    packages = ", ".join(f"{name} {version(name).split('-')[0]}" for name in PACKAGES)
    return (
        f"{usable_threads()} processors, {model[1] if model else platform.machine()} (`{' '.join(present)}`), "
        f"{packages}, Python {platform.python_version()}"
    )


def read_results(folder):
    """Return the lines of results.jsonl."""
    path = folder / "results.jsonl"
    if not path.is_file():
        raise SystemExit(f"{path}: does not exist; run `make` and `run` first")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def summarize(lines, device):
    """Return the measurements by runner: best speed and workers by length; load and peak of those at 10 s."""
    rows = {}
    for name in RUNNERS[device]:
        runs = [line for line in lines if line["runner"] == name and line.get("device") == device]
        runs = [line for line in runs if len(line["speed"]) == len(LENGTHS)]  # without the bare runs of `program`
        if not runs:
            continue
        by_workers = {n: [line for line in runs if line["workers"] == n] for n in {line["workers"] for line in runs}}
        speeds = {n: {s: undisturbed_speed(own, s) for s in LENGTHS} for n, own in by_workers.items()}
        best = {s: max(speeds, key=lambda n, s=s: speeds[n][s]) for s in LENGTHS}
        chosen = by_workers[best[DRIFT_LENGTH]]
        rows[name] = {
            "speed": {s: speeds[n][s] for s, n in best.items()},
            "workers": best,
            "speed_by_workers": speeds,
            "load_s": statistics.median(line["load_s"] for line in chosen),
            "file_mb": chosen[0]["file_mb"],
            "peak_mb": max(line["peak_mb"] for line in chosen),
        }
    return rows


def undisturbed_speed(lines, length):
    """Return the median speed of the runs that other work did not disturb, or that of the least disturbed one."""
    lines = [line for line in lines if length in line["speed"]]
    limit = max(MAX_OTHER_LOAD, min(line["others"][length] for line in lines))
    return statistics.median(line["speed"][length] for line in lines if line["others"][length] <= limit)


def to_markdown(folder, device):
    """Return the section of RESULTS.md: machine, table, bars."""
    lines = read_results(folder)
    rows, drifts = summarize(lines, device), read_drifts(folder, device)
    header = (
        f"| runner | {' | '.join(f'{s} s' for s in LENGTHS)} | load s | file MB | peak MB | drift, mean | drift, p95 |"
    )
    out = [describe_machine() + ".", "", header, "|---|" + "--:|" * (len(LENGTHS) + 5)]
    for name, runner in RUNNERS[device].items():
        if name in rows:
            row = rows[name]
            marks = ["" if row["workers"][s] == 1 or runner.kind == "abxfast" else "²" for s in LENGTHS]
            cells = [f"{row['speed'][s]:.3g}{mark}" for s, mark in zip(LENGTHS, marks, strict=True)]
            cells += [f"{row['load_s']:.1f}", f"{row['file_mb']:.0f}", f"{row['peak_mb']:.0f}"]
        elif name in drifts:
            cells = [""] * (len(LENGTHS) + 3)
        else:
            continue
        cells += [f"{value:.4f}" for value in drifts[name]] if name in drifts else ["", ""]
        out.append(f"| {runner.label} | {' | '.join(cells)} |")
    if device == "cpu" and all(name in rows for name, runner in CPU.items() if runner.timed):
        out += ["", *format_bars(compare(rows, drifts, lines)), *format_int8_rate(rows, lines)]
    return "\n".join(out)


def compare(rows, drifts, lines):
    """Return the bars: what is measured, its value, what it must and should reach, and ``×`` if more is better."""
    speed = {name: row["speed"] for name, row in rows.items()}
    peers = [name for name in speed if CPU[name].kind != "abxfast"]
    reference, int8, fp32 = speed[REFERENCE][DRIFT_LENGTH], speed["abxfast-int8"], speed["abxfast-fp32"]
    shared_threads = rows[REFERENCE]["speed_by_workers"][1][DRIFT_LENGTH]
    bars = [
        ("int8 vs PyTorch fp32, 10 s", int8[DRIFT_LENGTH] / reference, 5, 7, "×"),
        ("… with all threads on one snippet, the default", int8[DRIFT_LENGTH] / shared_threads, 5, 7, "×"),
    ]
    for s in LENGTHS:
        peer = max(peers, key=lambda name, s=s: speed[name][s])
        label = f"int8 vs the fastest peer, {s} s: {CPU[peer].label}"
        bars.append((label, int8[s] / speed[peer][s], 1.15, 1.5, "×"))
    stress = speed["stress-abxfast-int8"][DRIFT_LENGTH] / reference
    bars += [
        ("int8 drift, p95", drifts["abxfast-int8"][1], 0.03, 0.01, ""),
        ("stress checkpoint: int8 drift, p95", drifts["stress-abxfast-int8"][1], 0.05, 0.02, ""),
        ("stress checkpoint: int8 vs PyTorch fp32, 10 s", stress, 4.5, 4.5, "×"),
    ]
    bars += [(f"fp32 vs plain ONNX Runtime fp32, {s} s", fp32[s] / speed["ort-fp32"][s], 1, 1.2, "×") for s in LENGTHS]
    file_mb = rows["abxfast-int8"]["file_mb"]
    bars.append(("int8 file, MB", file_mb, 400, 320, ""))
    latest = {line["runner"]: line for line in lines if line["runner"] in ("program", "export")}
    if program := latest.get("program"):
        label = f"`abxfast embed`, {program['minutes']} min, of the bare encoder's speed"
        bars.append((label, program["speed"] / program["bare"], 0.9, 0.9, "×"))
        bars.append(("`abxfast embed`: peak memory, MB", program["peak_mb"], file_mb + 1200, file_mb + 1200, ""))
    if export := latest.get("export"):
        bars.append(("`abxfast export` in int8, without the parity check, minutes", export["minutes"], 10, 4, ""))
        bars.append(("`abxfast export`, the same: peak memory, MB", export["peak_mb"], 8000, 5000, ""))
    return bars


def format_bars(bars):
    """Return the lines of the table of bars."""
    out = ["| bar | measured | must | aim | |", "|---|--:|--:|--:|---|"]
    for label, value, must, aim, unit in bars:
        sign = "≥" if unit else "≤"
        reached = [value >= bar if unit else value <= bar for bar in (must, aim)]
        verdict = "aim" if all(reached) else "must" if reached[0] else "**missed**"
        out.append(f"| {label} | {value:.3g} {unit} | {sign} {must:.4g} | {sign} {aim:.4g} | {verdict} |")
    return out


def format_int8_rate(rows, lines):
    """Return the lines on int8 products, if they were measured."""
    rates = [line["gops"] for line in lines if line["runner"] == "int8-rate"]
    if not rates:
        return []
    share = GFLOP_PER_AUDIO_SECOND * rows["abxfast-int8"]["speed"][DRIFT_LENGTH] / max(rates)
    product = f"MatMulInteger {' × '.join(map(str, GEMM))} on all threads at once: {max(rates):.0f} GOP/s"
    return [
        "",
        f"{product}. At 10 s int8 uses {share:.0%} of that ({GFLOP_PER_AUDIO_SECOND} GFLOP per second of audio).",
    ]


def draw(folder, device, path):
    """Draw the speeds, one panel per length."""
    from matplotlib import pyplot as plt

    rows = summarize(read_results(folder), device)
    names = [name for name in RUNNERS[device] if name in rows][::-1]
    labels = [RUNNERS[device][name].label for name in names]
    colours = ["#0072B2" if RUNNERS[device][name].kind == "abxfast" else "#BBBBBB" for name in names]
    figure, panels = plt.subplots(1, len(LENGTHS), figsize=(11, 3.6), sharey=True, layout="constrained")
    for panel, length in zip(panels, LENGTHS, strict=True):
        speeds = [rows[name]["speed"][length] for name in names]
        bars = panel.barh(labels, speeds, color=colours)
        panel.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
        panel.set(title=f"{length} s snippets", xlim=(0, max(speeds) * 1.2))
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    label = f"seconds of audio per second (× real time), {usable_threads()} threads, seeded weights"
    figure.supxlabel(label, fontsize=9)
    for target in {path, path.with_suffix(".svg")}:
        figure.savefig(target, dpi=150)
