"""Measurements of the scoring benchmarks: paired timings, memory, and a description of the machine."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import numpy as np
import psutil

MAX_OTHER_LOAD = 0.05
"""Share of the machine that other programs may take in a round that counts."""
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "sve")


def time_in_turn(*functions, runs):
    """Run the functions in turn; return the seconds of each run, one sequence for each function.

    The first round is a warm-up. Rounds in which other programs took 5% of the machine or more are repeated, up to
    three times as many rounds as `runs`; if that is not enough, the least disturbed rounds count and a note is printed.
    """
    for function in functions:
        function()
    rounds = []
    while len(rounds) < 3 * runs and sum(load < MAX_OTHER_LOAD for load, _ in rounds) < runs:
        seconds, busy_before, begin = [], _other_cpu_s(), time.perf_counter()
        for function in functions:
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        elapsed = time.perf_counter() - begin
        rounds.append(((_other_cpu_s() - busy_before) / elapsed / psutil.cpu_count(), seconds))
    rounds = sorted(rounds)[:runs]
    if rounds[-1][0] >= MAX_OTHER_LOAD:
        print(f"(other programs took up to {rounds[-1][0]:.0%} of the machine during the next runs)", flush=True)
    return list(zip(*(seconds for _, seconds in rounds), strict=True))


def _other_cpu_s():
    """Return the CPU seconds that other programs have used so far."""
    system, process = psutil.cpu_times(), psutil.Process().cpu_times()
    names = ("user", "nice", "system", "irq", "softirq", "steal")  # steal: what the host gave to another machine
    return sum(getattr(system, name, 0.0) for name in names) - process.user - process.system


def median_ratio(numerators, denominators):
    """Return the median of the ratios of paired runs."""
    return statistics.median(n / d for n, d in zip(numerators, denominators, strict=True))


class MemoryWatch(threading.Thread):
    """Sample the memory of this process, without the pages of mapped files, until stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self._process, self._stopped = psutil.Process(), threading.Event()
        self.start_mb = self.peak_mb = self._current_mb()

    def _current_mb(self):
        info = self._process.memory_info()
        return (info.rss - info.shared) / 1e6

    def run(self):
        """Sample every 10 ms."""
        while not self._stopped.wait(0.01):
            self.peak_mb = max(self.peak_mb, self._current_mb())

    def stop(self):
        """Stop, and return the peak in megabytes beyond the memory at the start."""
        self._stopped.set()
        self.join()
        return self.peak_mb - self.start_mb


def describe_machine():
    """Return a line with the number of cores, the processor, its relevant flags, the load and numpy's version."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = [flag for flag in fields.get("flags", "").split() if flag in CPU_FLAGS]
    processor = f"{fields.get('model name', '')} ({' '.join(flags)})"
    return f"{psutil.cpu_count()} cores, {processor}, load {psutil.getloadavg()[0]:.1f}, numpy {np.__version__}"
