"""Which onnxruntime session runs snippets best on this CPU: threads, spinning, arena, exact int8 products.

    python benchmarks/encoding/session.py xlsr53-l21.int8.onnx

takes any encoder, such as the one of seeded weights that ``benchmarks/encoding/embed.py make`` exports. glibc is set as
``abxfast embed`` sets it. Settings run in turn, each in a process of its own; a figure is the median of the rounds. On
a busy machine CPU seconds (a second of audio) hold better than speed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime

from abxfast.cli.process import configure_process

SETTINGS = {
    "a thread a snippet, arena": {"per_snippet": 1, "arena": True, "spin": "0", "exact": "0"},
    "the same, no arena": {"per_snippet": 1, "arena": False, "spin": "0", "exact": "0"},
    "the same, arena, x64quantprecision": {"per_snippet": 1, "arena": True, "spin": "0", "exact": "1"},
    "all threads on a snippet": {"per_snippet": 0, "arena": True, "spin": "0", "exact": "0"},
    "all threads on a snippet, spinning": {"per_snippet": 0, "arena": True, "spin": "1", "exact": "0"},
}
SNIPPETS = {1: 8, 10: 4}
"""Seconds, and how many in a round."""
LONGEST_S = 30
ROUNDS = 3
THREADS = os.cpu_count() or 1


def measure(path: Path, setting: str) -> dict[str, float]:
    """Run one setting in this process."""
    configure_process()
    wish = SETTINGS[setting]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = wish["per_snippet"] or THREADS
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = wish["arena"]
    options.add_session_config_entry("session.intra_op.allow_spinning", wish["spin"])
    options.add_session_config_entry("session.x64quantprecision", wish["exact"])
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, float] = {}
    rng = np.random.default_rng(0)
    with ThreadPoolExecutor(THREADS if wish["per_snippet"] else 1) as pool:
        for seconds, count in {**SNIPPETS, LONGEST_S: THREADS}.items():
            wave = rng.standard_normal((1, 16_000 * seconds)).astype(np.float32)
            before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            list(pool.map(lambda _, wave=wave: session.run(None, {"input_values": wave}), range(count)))
            after, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found[f"{seconds} s: × real time"] = seconds * count / took
            found[f"{seconds} s: CPU s"] = spent / (seconds * count)
    found["peak MB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - loaded) / 1024
    return found


def main() -> None:
    """Measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--setting", choices=SETTINGS, help="measure this one only, and print JSON")
    arguments = parser.parse_args()
    if arguments.setting:
        print(json.dumps(measure(arguments.encoder, arguments.setting)))
        return
    rounds: dict[str, list[dict[str, float]]] = {setting: [] for setting in SETTINGS}
    for _ in range(ROUNDS):
        for setting, found in rounds.items():
            program = [sys.executable, __file__, str(arguments.encoder), "--setting", setting]
            found.append(json.loads(subprocess.run(program, check=True, capture_output=True).stdout))  # noqa: S603
    columns = list(rounds[next(iter(SETTINGS))][0])
    print(
        f"{platform.processor() or platform.machine()}, {THREADS} processors, onnxruntime {onnxruntime.__version__}\n"
    )
    print(f"| setting | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}")
    for setting, found in rounds.items():
        values = (statistics.median(one[column] for one in found) for column in columns)
        print(f"| {setting} | {' | '.join(f'{value:.3g}' for value in values)} |")


if __name__ == "__main__":
    main()
