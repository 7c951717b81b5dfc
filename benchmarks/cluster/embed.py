"""Embedding on a cluster whose hosts are network namespaces of this machine (Linux, as root).

    python benchmarks/cluster/embed.py kills FOLDER --hours 4 --workers 3   # workers killed at random moments
    python benchmarks/cluster/embed.py speed FOLDER --hours 4               # 1 and 2 workers, against one process

``kills`` embeds recordings with ``mfcc`` while workers are killed and started again, and compares the store, row for
row, with that of one process. ``speed`` prints the time of one process with one thread, of one worker and of two.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from hosts import Hosts

from abxfast.store import open_store

RATE_HZ = 16_000
MINUTES = 10
ABXFAST = str(Path(sys.executable).with_name("abxfast"))


def make_audio(folder: Path, hours: float) -> Path:
    """Write recordings of ten minutes of noise, and a long one with a fourth of all audio; return their folder."""
    audio = folder / "audio"
    n_short = round(0.75 * hours * 60 / MINUTES)
    for i in range(n_short + 1):
        path = audio / f"{i:04}.wav"
        if path.exists():
            continue
        audio.mkdir(parents=True, exist_ok=True)
        minutes = MINUTES if i < n_short else round(0.25 * hours * 60)
        rng = np.random.default_rng(i)
        with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(0.1 * rng.standard_normal(60 * RATE_HZ, np.float32))
    return audio


def embed(audio: Path, store: Path, *options: str) -> tuple[float, str]:
    """Embed in a process of its own; return the seconds, and what it printed."""
    words = [ABXFAST, "embed", str(audio), "-o", str(store), "--encoder", "mfcc", "--snippet", "1", "--snippet", "10"]
    started = time.monotonic()
    done = subprocess.run([*words, *options], check=True, capture_output=True, text=True)  # noqa: S603
    return time.monotonic() - started, done.stderr.strip().splitlines()[-1]


def read_all(path: Path) -> dict[tuple[float | None, str], tuple[list[str], bytes, bytes]]:
    """Return every row of a store: items, times, vectors."""
    store = open_store(path)
    return {
        (length_s, variant): (rows.items, rows.start_s.tobytes() + rows.end_s.tobytes(), rows.embeddings.tobytes())
        for length_s in store.lengths()
        for variant in store.variants
        for rows in [store.read(length_s, variant)]
    }


def run_kills(folder: Path, hours: float, n_workers: int, seed: int) -> None:
    """Kill and start workers while they embed, and compare the stores."""
    audio = make_audio(folder, hours)
    if not (folder / "one.store").exists():
        print(*embed(audio, folder / "one.store"), sep=" s: ")
    shutil.rmtree(folder / "killed.store", ignore_errors=True)
    chance, n_kills, finished = random.Random(seed), 0, threading.Event()  # noqa: S311
    with Hosts(folder / "hosts", n_workers, allowed_failures=100) as hosts:

        def kill() -> None:
            nonlocal n_kills
            while not finished.wait(chance.uniform(1, 8)):
                victim = chance.choice(hosts.workers)
                hosts.kill(victim)
                n_kills += 1
                hosts.start(victim)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            print(*embed(audio, folder / "killed.store", "--cluster", hosts.scheduler), sep=" s: ")
        finally:
            finished.set()
            killer.join()
    expected, found = read_all(folder / "one.store"), read_all(folder / "killed.store")
    rows = sum(len(items) for items, _, _ in expected.values())
    print(f"{n_kills} workers killed; {rows:,} vectors {'equal' if found == expected else 'DIFFER'}")


def run_speed(folder: Path, hours: float, repeats: int) -> None:
    """Print the median time of one process with one thread, one worker, and two workers."""
    audio = make_audio(folder, hours)
    times: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, options in (("one process, one thread", ["--threads", "1"]), ("1 worker", []), ("2 workers", [])):
            shutil.rmtree(folder / "speed.store", ignore_errors=True)
            if options:
                seconds, line = embed(audio, folder / "speed.store", *options)
            else:
                with Hosts(folder / "hosts", int(name[0])) as hosts:
                    embed(audio, folder / "warm.store", "--cluster", hosts.scheduler)  # opens the encoder
                    shutil.rmtree(folder / "speed.store", ignore_errors=True)
                    seconds, line = embed(audio, folder / "speed.store", "--cluster", hosts.scheduler)
            times.setdefault(name, []).append(seconds)
            print(f"{name}: {seconds:.1f} s (load {os.getloadavg()[0]:.1f}); {line}")
    one, two = (float(np.median(times[name])) for name in ("1 worker", "2 workers"))
    print(f"median: {', '.join(f'{name} {np.median(values):.1f} s' for name, values in times.items())}")
    print(f"efficiency of two workers {one / two / 2:.2f}")


def main() -> None:
    """Run a benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "speed"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    if arguments.what == "kills":
        run_kills(folder, arguments.hours, arguments.workers, arguments.seed)
    else:
        run_speed(folder, arguments.hours, arguments.repeats)


if __name__ == "__main__":
    main()
