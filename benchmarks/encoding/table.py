"""What ``benchmarks/encoding/embed.py`` tells: the section of RESULTS.md, its bars, its figure."""

from __future__ import annotations

import json
import platform
import re
import statistics
from importlib.metadata import version
from pathlib import Path

import numpy as np
from prepare import DRIFT_S, LENGTHS_S
from runners import CPU, GEMM, RUNNERS, usable

GFLOP_A_SECOND = 34
"""That a second of audio takes through 21 blocks."""
REFERENCE = "torch-fp32"
QUIET = 0.05
"""Share of the machine that other work may take in a run that counts."""
FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "i8mm")
PACKAGES = ("onnxruntime", "torch", "transformers", "openvino", "optimum-onnx", "numpy")


def drift(vectors, reference):
    """Give mean and 95th percentile of (1 − cos to the reference) / mean distance of snippets."""
    a, b = (v.astype(np.float64) / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, reference))
    apart = (1 - b @ b.T)[np.triu_indices(len(b), 1)].mean()
    off = np.maximum(1 - (a * b).sum(axis=1), 0) / apart  # rounding takes some below 0
    return off.mean(), np.percentile(off, 95)


def drifts(folder, device):
    """Give the drifts of the runners whose vectors are there, each against PyTorch fp32 on its checkpoint."""
    found = {}
    for name in RUNNERS[device]:
        path = folder / f"vectors-{device}-{name}.npy"
        reference = "stress-torch-fp32" if name.startswith("stress-") else REFERENCE
        wanted = folder / f"vectors-cpu-{reference}.npy"
        if path.exists() and wanted.exists() and path != wanted:
            found[name] = drift(np.load(path), np.load(wanted))
    return found


def machine():
    """Describe the processor and the packages."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    model, flags = re.search(r"model name\s*: (.*)", text), re.search(r"(?:flags|Features)\s*: (.*)", text)
    have = [flag for flag in FLAGS if flags and flag in flags[1].split()]
    packages = ", ".join(f"{name} {version(name).split('-')[0]}" for name in PACKAGES)
    return (
        f"{usable()} processors, {model[1] if model else platform.machine()} (`{' '.join(have)}`), {packages}, "
        f"Python {platform.python_version()}"
    )


def collect(folder, device):
    """Give the findings by runner: speed by length and the better way of it; load and peak of that way at 10 s."""
    kept = folder / "results.jsonl"
    if not kept.is_file():
        raise SystemExit(f"{kept}: is not there; make and run first")
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    rows = {}
    for name in RUNNERS[device]:
        own = [line for line in lines if line["runner"] == name and line.get("device") == device]
        own = [line for line in own if len(line["speed"]) == len(LENGTHS_S)]  # not those that `program` is held against
        if not own:
            continue
        ways = {way: [line for line in own if line["workers"] == way] for way in {line["workers"] for line in own}}
        speeds = {way: {str(s): undisturbed(found, str(s)) for s in LENGTHS_S} for way, found in ways.items()}
        best = {s: max(ways, key=lambda way, s=s: speeds[way][s]) for s in map(str, LENGTHS_S)}
        chosen = ways[best[str(DRIFT_S)]]
        rows[name] = {
            "speed": {s: speeds[way][s] for s, way in best.items()},
            "way": best,
            "ways": speeds,
            "load_s": statistics.median(line["load_s"] for line in chosen),
            "file_mb": chosen[0]["file_mb"],
            "peak_mb": max(line["peak_mb"] for line in chosen),
        }
    return rows, lines


def undisturbed(lines, seconds):
    """Give the median speed of the runs that other work did not disturb, or the speed of the least disturbed one."""
    lines = [line for line in lines if seconds in line["speed"]]
    least = max(QUIET, min(line["others"][seconds] for line in lines))
    return statistics.median(line["speed"][seconds] for line in lines if line["others"][seconds] <= least)


def to_markdown(folder, device):
    """Give the section of RESULTS.md: machine, table, bars."""
    rows, lines = collect(folder, device)
    off, seconds = drifts(folder, device), [str(s) for s in LENGTHS_S]
    out = [machine() + ".", "", "| runner | " + " | ".join(f"{s} s" for s in seconds)]
    out[-1] += " | load s | file MB | peak MB | drift, mean | drift, p95 |"
    out.append("|---|" + "--:|" * (len(seconds) + 5))
    for name, runner in RUNNERS[device].items():
        told = [f"{x:.4f}" for x in off[name]] if name in off else ["", ""]
        if name in rows:
            row = rows[name]
            marks = ["" if row["way"][s] == 1 or runner.kind == "ours" else "²" for s in seconds]
            cells = [f"{row['speed'][s]:.3g}{mark}" for s, mark in zip(seconds, marks, strict=True)]
            cells += [f"{row['load_s']:.1f}", f"{row['file_mb']:.0f}", f"{row['peak_mb']:.0f}"]
        elif name in off:
            cells = [""] * (len(seconds) + 3)
        else:
            continue
        out.append(f"| {runner.label} | {' | '.join([*cells, *told])} |")
    if device == "cpu" and all(name in rows for name, runner in CPU.items() if runner.timed):
        out += ["", *bars(rows, off, lines)]
    return "\n".join(out)


def bars(rows, off, lines):
    """Hold the figures against what was asked for."""
    speed = {name: row["speed"] for name, row in rows.items()}
    ten, peers = str(DRIFT_S), [name for name in speed if CPU[name].kind != "ours"]
    told = [("int8 against PyTorch fp32, 10 s", speed["ours-int8"][ten] / speed[REFERENCE][ten], 5, 7, "×")]
    ratio = speed["ours-int8"][ten] / rows[REFERENCE]["ways"][1][ten]
    told.append(("… with all its threads on a snippet, as it comes", ratio, 5, 7, "×"))
    for s in speed["ours-int8"]:
        peer = max(peers, key=lambda name, s=s: speed[name][s])
        ratio = speed["ours-int8"][s] / speed[peer][s]
        told.append((f"int8 against the fastest peer, {s} s: {CPU[peer].label}", ratio, 1.15, 1.5, "×"))
    told.append(("int8 drift, p95", off["ours-int8"][1], 0.03, 0.01, ""))
    told.append(("stress checkpoint: int8 drift, p95", off["stress-ours-int8"][1], 0.05, 0.02, ""))
    stress = speed["stress-ours-int8"][ten] / speed[REFERENCE][ten]
    told.append(("stress checkpoint: int8 against PyTorch fp32, 10 s", stress, 4.5, 4.5, "×"))
    for s in speed["ours-fp32"]:
        ratio = speed["ours-fp32"][s] / speed["ort-fp32"][s]
        told.append((f"fp32 against plain ONNX Runtime fp32, {s} s", ratio, 1, 1.2, "×"))
    told.append(("int8 file, MB", rows["ours-int8"]["file_mb"], 400, 320, ""))
    for line in [line for line in lines if line["runner"] == "program"][-1:]:
        told.append(
            (f"`abxfast embed`, {line['minutes']} min, of bare speed", line["speed"] / line["bare"], 0.9, 0.9, "×")
        )
        most = rows["ours-int8"]["file_mb"] + 1200
        told.append(("`abxfast embed`: peak memory, MB", line["peak_mb"], most, most, ""))
    for line in [line for line in lines if line["runner"] == "export"][-1:]:
        told.append(("`abxfast export` in int8, parity check apart, minutes", line["minutes"], 10, 4, ""))
        told.append(("`abxfast export`, the same: peak memory, MB", line["peak_mb"], 8000, 5000, ""))
    out = ["| bar | measured | must | aim | |", "|---|--:|--:|--:|---|"]
    for what, value, must, aim, unit in told:
        kept = [value >= bar if unit else value <= bar for bar in (must, aim)]
        verdict = "aim" if all(kept) else "must" if kept[0] else "**missed**"
        sign = "≥" if unit else "≤"
        out.append(f"| {what} | {value:.3g} {unit} | {sign} {must:.4g} | {sign} {aim:.4g} | {verdict} |")
    rates = [line["gops"] for line in lines if line["runner"] == "int8-rate"]
    if rates:
        share = GFLOP_A_SECOND * speed["ours-int8"][ten] / max(rates)
        out += [
            "",
            f"MatMulInteger {' × '.join(map(str, GEMM))} on every thread at once: {max(rates):.0f} ",
        ]
        out[-1] += f"GOP/s. At 10 s int8 uses {share:.0%} of that ({GFLOP_A_SECOND} GFLOP a second of audio)."
    return out


def draw(folder, device, path):
    """Draw the speeds, a panel a length."""
    from matplotlib import pyplot as plt

    rows, _ = collect(folder, device)
    order = [name for name in RUNNERS[device] if name in rows][::-1]
    figure, panels = plt.subplots(1, len(LENGTHS_S), figsize=(11, 3.6), sharey=True, layout="constrained")
    for panel, seconds in zip(panels, LENGTHS_S, strict=True):
        speeds = [rows[name]["speed"][str(seconds)] for name in order]
        colours = ["#0072B2" if RUNNERS[device][name].kind == "ours" else "#BBBBBB" for name in order]
        drawn = panel.barh([RUNNERS[device][name].label for name in order], speeds, color=colours)
        panel.bar_label(drawn, fmt="%.3g", padding=3, fontsize=8)
        panel.set(title=f"{seconds} s snippets", xlim=(0, max(speeds) * 1.2))
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    figure.supxlabel(f"seconds of audio a second (× real time), {usable()} threads; seeded weights", fontsize=9)
    for target in {path, path.with_suffix(".svg")}:
        figure.savefig(target, dpi=150)
