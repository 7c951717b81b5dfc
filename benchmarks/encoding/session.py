"""Find the onnxruntime session options that suit this CPU best: threads, spinning, arena, exact int8 products.

    python benchmarks/encoding/session.py xlsr53-l21.int8.onnx

Takes any encoder, such as the one with seeded weights that ``benchmarks/encoding/embed.py make`` exports. The process
is configured as the program ``abxfast`` configures its own. Settings run in turn, each in a process of its own; the
table shows medians over the rounds. On a busy machine, CPU seconds per second of audio are more reliable than speed.
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
from typing import NamedTuple

import numpy as np
import onnxruntime

from abxfast.cli.process import configure_process


class Setting(NamedTuple):
    """Session options.

    Attributes
    ----------
    one_thread : bool
        One thread per snippet rather than all threads on one snippet.
    arena, spinning, exact_int8 : bool
        `exact_int8` is ``session.x64quantprecision``.
    """

    one_thread: bool = True
    arena: bool = True
    spinning: bool = False
    exact_int8: bool = False


SETTINGS = {
    "one thread per snippet, arena": Setting(),
    "same, no arena": Setting(arena=False),
    "same, arena, x64quantprecision": Setting(exact_int8=True),
    "all threads on one snippet": Setting(one_thread=False),
    "all threads on one snippet, spinning": Setting(one_thread=False, spinning=True),
}
ROUNDS = 3
RATE_HZ = 16_000
THREADS = os.cpu_count() or 1
SNIPPETS_PER_ROUND = {1: 8, 10: 4, 30: THREADS}
"""By length in seconds."""


def measure(path: Path, setting: Setting) -> dict[str, float]:
    """Return speed and CPU time by snippet length, and the memory taken, in this process."""
    configure_process()
    session = open_session(path, setting)
    loaded_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result: dict[str, float] = {}
    rng = np.random.default_rng(0)
    with ThreadPoolExecutor(THREADS if setting.one_thread else 1) as pool:
        for length_s, count in SNIPPETS_PER_ROUND.items():
            wave = rng.standard_normal((1, RATE_HZ * length_s)).astype(np.float32)
            before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            list(pool.map(lambda _, wave=wave: session.run(None, {"input_values": wave}), range(count)))
            after, elapsed = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
            cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            result[f"{length_s} s: × real time"] = length_s * count / elapsed
            result[f"{length_s} s: CPU s"] = cpu_s / (length_s * count)
    result["peak MB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - loaded_kib) / 1024
    return result


def open_session(path: Path, setting: Setting) -> onnxruntime.InferenceSession:
    """Open an encoder with a setting's session options."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1 if setting.one_thread else THREADS
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = setting.arena
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(setting.spinning)))
    options.add_session_config_entry("session.x64quantprecision", str(int(setting.exact_int8)))
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Measure all settings in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--setting", choices=SETTINGS, help="measure only this one, and print JSON")
    arguments = parser.parse_args()
    if arguments.setting:
        print(json.dumps(measure(arguments.encoder, SETTINGS[arguments.setting])))
        return
    results: dict[str, list[dict[str, float]]] = {name: [] for name in SETTINGS}
    for _ in range(ROUNDS):
        for name, rounds in results.items():
            command = [sys.executable, __file__, str(arguments.encoder), "--setting", name]
            output = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603
            rounds.append(json.loads(output))
    columns = list(results[next(iter(SETTINGS))][0])
    processor = platform.processor() or platform.machine()
    print(f"{processor}, {THREADS} processors, onnxruntime {onnxruntime.__version__}\n")
    print(f"| setting | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}")
    for name, rounds in results.items():
        medians = (statistics.median(result[column] for result in rounds) for column in columns)
        print(f"| {name} | {' | '.join(f'{median:.3g}' for median in medians)} |")


if __name__ == "__main__":
    main()
