"""How fast encoders turn speech into vectors on this machine, ours and its peers: speed, memory, drift.

    python benchmarks/studies/speech.py --fetch speech                  # or any folder of recordings, 20 minutes or more
    python benchmarks/encoding/embed.py make FOLDER --speech speech      # checkpoints, exports (7 GB): what is missing
    python benchmarks/encoding/embed.py run FOLDER                       # drift, then 3 rounds of every runner in turn
    python benchmarks/encoding/embed.py export FOLDER --speech speech    # ``abxfast export`` in int8, up to its parity check
    python benchmarks/encoding/embed.py program FOLDER --speech speech   # ``abxfast embed`` itself, on an hour
    python benchmarks/encoding/embed.py table FOLDER --figure embed.png

Needs the extras export and dev, and openvino. The checkpoint has the shape of XLSR-53 and seeded weights, so times and
memory are those of XLSR-53, and drifts are not. The stress checkpoint is the same with outlier channels. Every peer is
cut to the 21 blocks that ours has; it pools and normalises as ours does. Each measurement is a process of its own
(`one`), which opens the runner, runs every length, and adds a line to FOLDER/results.jsonl; peers run in two ways, all
threads on a snippet and a thread a snippet, and the table takes the faster one for each length.
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
from prepare import DRIFT_S, LENGTHS_S, RATE_HZ, abxfast, make, read_prompts
from runners import OPENERS, RUNNERS, int8_rate, usable
from table import draw, to_markdown

A_ROUND = {1: 16, 5: 6, 10: 4, 20: 2}
"""Seconds, and how many snippets of that a round times, after one that warms each thread."""
MIN_S = 2.0
"""Of a timing: what is faster takes its snippets again."""
GPU_BATCH_S = 160
PROGRAM_FILES = 6


def one(folder, name, workers, device, *, lengths=LENGTHS_S, least_s=MIN_S, vectors=False):
    """Measure one runner in this process, or keep its vectors of the snippets of 10 s."""
    if name == "int8-rate":
        add(folder, {"runner": name, "gops": int8_rate()})
        return
    runner = RUNNERS[device][name]
    path, started = folder / runner.file, time.perf_counter()
    run = OPENERS[runner.kind](path, runner.precision, max(1, usable() // workers), device)
    found = {"runner": name, "device": device, "workers": workers, "load_s": time.perf_counter() - started}
    weights = path / "model.safetensors" if path.is_dir() else path
    found |= {"file_mb": weights.stat().st_size / 1e6, "speed": {}, "others": {}}
    with ThreadPoolExecutor(workers) as pool:
        if vectors:
            waves = np.load(folder / f"snippets-{DRIFT_S}.npy")
            np.save(folder / f"vectors-{device}-{name}.npy", np.concatenate(list(pool.map(run, waves[:, None]))))
            return
        for seconds in lengths:
            count = A_ROUND[seconds]
            batch = 1 if device == "cpu" else GPU_BATCH_S // seconds
            waves = np.resize(np.load(folder / f"snippets-{seconds}.npy"), (count * batch, seconds * RATE_HZ))
            parts = np.split(waves, count)
            list(pool.map(run, parts[:workers]))
            started, took, passes, busy = time.perf_counter(), 0.0, 0, busy_s()
            while took < least_s:
                list(pool.map(run, parts))
                took, passes = time.perf_counter() - started, passes + 1
            found["speed"][str(seconds)] = passes * seconds * len(waves) / took
            found["others"][str(seconds)] = max(0.0, busy_s() - busy) / (took * usable())
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    add(folder, found)


def busy_s():
    """Give the processor seconds that other processes of this machine have used, 0 where the system does not tell."""
    total = Path("/proc/stat")
    if not total.exists():
        return 0.0
    ticks = [int(word) for word in total.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
    own = resource.getrusage(resource.RUSAGE_SELF)
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK") - own.ru_utime - own.ru_stime


def add(folder, found):
    """Keep a finding, and say it."""
    line = json.dumps(found)
    with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)


def plan(device):
    """List what a round runs, in turn: runner and workers."""
    ways = {1, usable()} if device == "cpu" else {1}
    timed = [(name, runner) for name, runner in RUNNERS[device].items() if runner.timed]
    found = [(name, way) for name, runner in timed for way in sorted(ways if runner.kind != "ours" else {max(ways)})]
    return [*found, ("int8-rate", usable())] if device == "cpu" else found


def run_all(folder, device, rounds):
    """Keep vectors that are missing, then run every runner in turn, round by round."""
    if device == "cuda":
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise SystemExit("--device cuda: this onnxruntime has no CUDA provider; nothing was run")
    jobs = [[name, "--workers", str(way)] for _ in range(rounds) for name, way in plan(device)]
    kept = [name for name in RUNNERS[device] if not (folder / f"vectors-{device}-{name}.npy").exists()]
    failed = []
    for job in [*([name, "--workers", str(1), "--vectors"] for name in kept), *jobs]:
        program = [sys.executable, __file__, "one", str(folder), *job, "--device", device]
        status = subprocess.run(program, check=False).returncode  # noqa: S603
        if status:  # a peer that crashes, as OpenVINO did once, does not cost the round
            failed.append(f"{' '.join(job)}: ended with {status}")
    if failed:
        raise SystemExit("\n".join(["not measured:", *failed]))


def program(folder, speech, minutes):
    """Time ``abxfast embed`` on recordings of joined prompts, no two in the same order, between two bare runs."""
    import soundfile

    prompts, rate_hz = read_prompts(speech)
    recordings, rng = folder / "recordings", np.random.default_rng(0)
    for path in (recordings, folder / "program.store"):
        shutil.rmtree(path, ignore_errors=True)
    recordings.mkdir()
    share = round(minutes * 60 * rate_hz / PROGRAM_FILES)
    for number in range(PROGRAM_FILES):
        wave = np.concatenate([prompts[i] for _ in range(4) for i in rng.permutation(len(prompts))])[:share]
        soundfile.write(recordings / f"{number}.wav", wave, rate_hz)
    bare = [
        sys.executable,
        __file__,
        "one",
        str(folder),
        "ours-int8",
        "--workers",
        str(usable()),
        "--least-s",
        "10",
        "--lengths",
        str(DRIFT_S),
    ]
    subprocess.run(bare, check=True)  # noqa: S603
    command = [*abxfast(), "embed", recordings, "-o", folder / "program.store", "--snippet", str(DRIFT_S)]
    process = subprocess.Popen([*command, "--encoder", folder / "full.int8.onnx"])  # noqa: S603
    started = time.perf_counter()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - started
    if status:
        raise SystemExit("abxfast embed failed")
    subprocess.run(bare, check=True)  # noqa: S603
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()[-2:]
    speeds = [json.loads(line)["speed"][str(DRIFT_S)] for line in lines]
    found = {"minutes": minutes, "speed": 60 * minutes / took, "bare": statistics.mean(speeds)}
    add(folder, {"runner": "program", **found, "peak_mb": usage.ru_maxrss * 1024 / 1e6})


def export(folder, speech):
    """Time ``abxfast export`` in int8 until its parity check begins, and stop it there; Linux only, for the peak."""
    path = folder / "timed.int8.onnx"
    command = [*abxfast(), "export", folder / "full", "-o", path, "--precision", "int8", "--check", speech]
    started = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        for line in process.stderr:
            if line.startswith("reference:"):
                took = time.perf_counter() - started
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
                peak_kib = int(status.split("VmHWM:")[1].split()[0])
                add(folder, {"runner": "export", "minutes": took / 60, "peak_mb": peak_kib * 1024 / 1e6})
                process.terminate()
                return
    raise SystemExit("abxfast export failed")


def main():
    """Make, run, or tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("make", "run", "one", "export", "program", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("runner", nargs="?", help="for one: a runner, or int8-rate")
    parser.add_argument("--speech", type=Path, help="folder with recordings; for make, export and program")
    parser.add_argument("--device", choices=RUNNERS, default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=usable(), help="for one: threads that each take a snippet")
    parser.add_argument("--lengths", type=int, nargs="*", choices=LENGTHS_S, default=LENGTHS_S, help="for one: seconds")
    parser.add_argument("--least-s", type=float, default=MIN_S, help="for one: of a timing")
    parser.add_argument("--vectors", action="store_true", help="for one: keep vectors in place of timing")
    parser.add_argument("--minutes", type=int, default=60, help="for program: of speech")
    parser.add_argument("--figure", type=Path, help="for table: PNG to draw, and an SVG beside it")
    wish = parser.parse_args()
    if wish.verb in ("make", "export", "program") and wish.speech is None:
        parser.error(f"{wish.verb} needs --speech")
    if wish.verb == "one" and wish.runner not in {*RUNNERS[wish.device], "int8-rate"}:
        parser.error(f"one needs a runner: int8-rate, {', '.join(RUNNERS[wish.device])}")
    if wish.verb == "make":
        make(wish.folder, wish.speech, gpu=wish.device == "cuda")
    elif wish.verb == "run":
        run_all(wish.folder, wish.device, wish.rounds)
    elif wish.verb == "one":
        one(
            wish.folder,
            wish.runner,
            wish.workers,
            wish.device,
            lengths=wish.lengths,
            least_s=wish.least_s,
            vectors=wish.vectors,
        )
    elif wish.verb == "export":
        export(wish.folder, wish.speech)
    elif wish.verb == "program":
        program(wish.folder, wish.speech, wish.minutes)
    else:
        print(to_markdown(wish.folder, wish.device))
        if wish.figure:
            draw(wish.folder, wish.device, wish.figure)


if __name__ == "__main__":
    main()
