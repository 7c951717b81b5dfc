"""Measure how fast encoders embed speech on this machine, abxfast and its peers: speed, memory, drift.

    python benchmarks/studies/speech.py --fetch speech                  # or any folder with 20 minutes of recordings
    python benchmarks/encoding/embed.py make FOLDER --speech speech     # missing checkpoints and exports (7 GB)
    python benchmarks/encoding/embed.py run FOLDER                      # drift, then 3 rounds of all runners in turn
    python benchmarks/encoding/embed.py export FOLDER --speech speech   # ``abxfast export`` up to its parity check
    python benchmarks/encoding/embed.py program FOLDER --speech speech  # ``abxfast embed`` on an hour of speech
    python benchmarks/encoding/embed.py table FOLDER --figure embed.png

Needs the extras export and dev, and openvino. The checkpoint has the shape of XLSR-53 and seeded weights: times and
memory are those of XLSR-53, drifts are not. The stress checkpoint is the same with outlier channels. Every peer is cut
to the 21 blocks that abxfast's encoder has, and pools and normalises as it does. Each measurement runs in a process of
its own (``one``), which opens the runner, runs all lengths, and appends a line to FOLDER/results.jsonl. Peers run with
all threads on one snippet and with one thread per snippet; the table shows the faster of the two for each length.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from prepare import DRIFT_S, LENGTHS_S, RATE_HZ, abxfast_command, make, read_prompts
from runners import OPENERS, RUNNERS, measure_int8_rate, usable_threads
from table import draw, to_markdown

SNIPPETS_PER_PASS = {1: 16, 5: 6, 10: 4, 20: 2}
"""By length in seconds; a warm-up of each thread comes first."""
MIN_TIMING_S = 2.0
"""Passes are repeated until a timing has taken this long."""
GPU_BATCH_S = 160
"""Audio per batch on a GPU."""
PROGRAM_FILES = 6
INT8_RATE = "int8-rate"


def measure_one(folder, name, workers, device, *, lengths_s=LENGTHS_S, min_s=MIN_TIMING_S):
    """Measure one runner in this process, and keep the result."""
    if name == INT8_RATE:
        append_result(folder, {"runner": name, "gops": measure_int8_rate()})
        return
    started = time.perf_counter()
    run = open_runner(folder, name, workers, device)
    result = {"runner": name, "device": device, "workers": workers, "load_s": time.perf_counter() - started}
    path = folder / RUNNERS[device][name].file
    weights = path / "model.safetensors" if path.is_dir() else path
    result |= {"file_mb": weights.stat().st_size / 1e6, "speed": {}, "others": {}}
    with ThreadPoolExecutor(workers) as pool:
        for length_s in lengths_s:
            n_snippets = SNIPPETS_PER_PASS[length_s]
            batch = 1 if device == "cpu" else GPU_BATCH_S // length_s
            waves = np.load(folder / f"snippets-{length_s}.npy")
            waves = np.resize(waves, (n_snippets * batch, length_s * RATE_HZ))
            batches = np.split(waves, n_snippets)
            list(pool.map(run, batches[:workers]))
            started, elapsed, passes, busy_s = time.perf_counter(), 0.0, 0, other_cpu_s()
            while elapsed < min_s:
                list(pool.map(run, batches))
                elapsed, passes = time.perf_counter() - started, passes + 1
            result["speed"][str(length_s)] = passes * length_s * len(waves) / elapsed
            result["others"][str(length_s)] = max(0.0, other_cpu_s() - busy_s) / (elapsed * usable_threads())
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    append_result(folder, result)


def save_vectors(folder, name, workers, device):
    """Save the vectors of the snippets on which drift is measured."""
    run = open_runner(folder, name, workers, device)
    waves = np.load(folder / f"snippets-{DRIFT_S}.npy")
    with ThreadPoolExecutor(workers) as pool:
        vectors = np.concatenate(list(pool.map(run, waves[:, None])))
    np.save(folder / f"vectors-{device}-{name}.npy", vectors)


def open_runner(folder, name, workers, device):
    """Open a runner whose threads are divided among the workers."""
    runner = RUNNERS[device][name]
    return OPENERS[runner.kind](folder / runner.file, runner.precision, max(1, usable_threads() // workers), device)


def other_cpu_s():
    """Return the CPU seconds that other processes have used, 0 where /proc/stat is missing."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    ticks = [int(word) for word in stat.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK") - usage.ru_utime - usage.ru_stime


def append_result(folder, result):
    """Append a result to results.jsonl, and print it."""
    line = json.dumps(result)
    with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)


def list_round(device):
    """Return the runners of a round, in turn, each with its number of workers."""
    choices = sorted({1, usable_threads()}) if device == "cpu" else [1]
    jobs = []
    for name, runner in RUNNERS[device].items():
        if runner.timed:
            jobs += [(name, workers) for workers in (choices if runner.kind != "abxfast" else choices[-1:])]
    return [*jobs, (INT8_RATE, usable_threads())] if device == "cpu" else jobs


def run_all(folder, device, rounds):
    """Save vectors that are missing, then measure every runner in turn, round by round."""
    if device == "cuda":
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise SystemExit("--device cuda: this onnxruntime has no CUDA provider; nothing was run")
    missing = [name for name in RUNNERS[device] if not (folder / f"vectors-{device}-{name}.npy").exists()]
    jobs = [[name, "--workers", "1", "--vectors"] for name in missing]
    jobs += [[name, "--workers", str(workers)] for _ in range(rounds) for name, workers in list_round(device)]
    failed = []
    for job in jobs:
        command = [sys.executable, __file__, "one", str(folder), *job, "--device", device]
        status = subprocess.run(command, check=False).returncode  # noqa: S603
        if status:  # a peer that crashes, as OpenVINO did once, does not end the round
            failed.append(f"{' '.join(job)}: exit status {status}")
    if failed:
        raise SystemExit("\n".join(["not measured:", *failed]))


def time_program(folder, speech, minutes):
    """Time ``abxfast embed`` on recordings of joined prompts, each in another order, between two bare runs."""
    recordings, store = folder / "recordings", folder / "program.store"
    for path in (recordings, store):
        shutil.rmtree(path, ignore_errors=True)
    write_recordings(recordings, speech, minutes)
    bare = [sys.executable, __file__, "one", str(folder), "abxfast-int8", "--workers", str(usable_threads())]
    bare += ["--min-s", "10", "--lengths", str(DRIFT_S)]
    subprocess.run(bare, check=True)  # noqa: S603
    command = [*abxfast_command(), "embed", recordings, "-o", store, "--snippet", str(DRIFT_S)]
    process = subprocess.Popen([*command, "--encoder", folder / "full.int8.onnx"])  # noqa: S603
    started = time.perf_counter()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    if status:
        raise SystemExit("abxfast embed failed")
    subprocess.run(bare, check=True)  # noqa: S603
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()[-2:]
    bare_speed = statistics.mean(json.loads(line)["speed"][str(DRIFT_S)] for line in lines)
    result = {"runner": "program", "minutes": minutes, "speed": 60 * minutes / elapsed, "bare": bare_speed}
    append_result(folder, result | {"peak_mb": usage.ru_maxrss * 1024 / 1e6})


def write_recordings(folder, speech, minutes):
    """Write recordings of joined prompts, `minutes` in all."""
    import soundfile

    folder.mkdir()
    (prompts, rate_hz), rng = read_prompts(speech), np.random.default_rng(0)
    n_samples = round(minutes * 60 * rate_hz / PROGRAM_FILES)
    for number in range(PROGRAM_FILES):
        wave = np.concatenate([prompts[i] for _ in range(4) for i in rng.permutation(len(prompts))])[:n_samples]
        soundfile.write(folder / f"{number}.wav", wave, rate_hz)


def time_export(folder, speech):
    """Time ``abxfast export`` in int8 until its parity check begins, and stop it; the peak is read on Linux only."""
    path = folder / "timed.int8.onnx"
    command = [*abxfast_command(), "export", folder / "full", "-o", path, "--precision", "int8", "--check", speech]
    started = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        for line in process.stderr:
            if line.startswith("reference:"):
                elapsed = time.perf_counter() - started
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
                peak_kib = int(status.split("VmHWM:")[1].split()[0])
                append_result(folder, {"runner": "export", "minutes": elapsed / 60, "peak_mb": peak_kib * 1024 / 1e6})
                process.terminate()
                return
    raise SystemExit("abxfast export failed")


def main():
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("make", "run", "one", "export", "program", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("runner", nargs="?", help=f"for one: a runner, or {INT8_RATE}")
    parser.add_argument("--speech", type=Path, help="folder with recordings; for make, export and program")
    parser.add_argument("--device", choices=RUNNERS, default="cpu")
    parser.add_argument("--rounds", type=int, default=3, help="for run")
    parser.add_argument("--workers", type=int, default=usable_threads(), help="for one: snippets at the same time")
    parser.add_argument("--lengths", type=int, nargs="*", choices=LENGTHS_S, default=LENGTHS_S, help="for one: seconds")
    parser.add_argument("--min-s", type=float, default=MIN_TIMING_S, help="for one: duration of a timing")
    parser.add_argument("--vectors", action="store_true", help="for one: save vectors instead of timing")
    parser.add_argument("--minutes", type=int, default=60, help="for program: amount of speech")
    parser.add_argument("--figure", type=Path, help="for table: PNG to draw, with an SVG beside it")
    arguments = parser.parse_args()
    folder, device, name = arguments.folder, arguments.device, arguments.runner
    if arguments.command in ("make", "export", "program") and arguments.speech is None:
        parser.error(f"{arguments.command} needs --speech")
    if arguments.command == "one" and name not in {*RUNNERS[device], INT8_RATE}:
        parser.error(f"one needs a runner: {INT8_RATE}, {', '.join(RUNNERS[device])}")
    if arguments.command == "make":
        make(folder, arguments.speech, gpu=device == "cuda")
    elif arguments.command == "run":
        run_all(folder, device, arguments.rounds)
    elif arguments.command == "one" and arguments.vectors:
        save_vectors(folder, name, arguments.workers, device)
    elif arguments.command == "one":
        lengths_s, min_s = arguments.lengths, arguments.min_s
        measure_one(folder, name, arguments.workers, device, lengths_s=lengths_s, min_s=min_s)
    elif arguments.command == "export":
        time_export(folder, arguments.speech)
    elif arguments.command == "program":
        time_program(folder, arguments.speech, arguments.minutes)
    else:
        print(to_markdown(folder, device))
        if arguments.figure:
            draw(folder, device, arguments.figure)


if __name__ == "__main__":
    main()
