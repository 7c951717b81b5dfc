"""The corpus: three contrasts with known answers.

Two rooms with one voice, two voices in one room, and two sets of vowels of one voice in one room, with two recordings
for each condition. Whatever a contrast does not name is the same in both conditions, or is drawn for every recording
from one distribution, so that two recordings of one condition differ by chance alone.
"""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from abxfast.audio import write_wav
from abxfast.errors import TaskError
from abxfast.synthetic_speech.filtering import RATE_HZ
from abxfast.synthetic_speech.room import HALL, STUDIO, impulse_response, record
from abxfast.synthetic_speech.voice import BACK, FRONT, HIGH, LOW, speak, syllables

DESIGN = (
    ("room", "studio", LOW, STUDIO, FRONT + BACK),
    ("room", "hall", LOW, HALL, FRONT + BACK),
    ("voice", "low", LOW, STUDIO, FRONT + BACK),
    ("voice", "high", HIGH, STUDIO, FRONT + BACK),
    ("vowels", "front", LOW, STUDIO, FRONT),
    ("vowels", "back", LOW, STUDIO, BACK),
)
"""Experiment, condition, voice, room and vowels; two rows for each experiment."""
_TAKES = (1, 2)
_COLUMNS = ("path", "experiment", "condition", "take", "voice", "room", "vowels", "level_db")
_MIN_SECONDS = 1.0
_MAX_WORKERS = 4
# First element of the key of each random stream.
_ROOM_STREAM, _LEVEL_STREAM, _RECORDING_STREAM = range(3)


def write_corpus(folder: str | Path, *, seed: int = 0, seconds: float = 60.0) -> Path:
    """Write the recordings of `DESIGN` and a manifest of them; the same seed gives the same bytes.

    Parameters
    ----------
    folder : path
        Created if it does not exist; the files of an earlier call are overwritten.
    seed : int
        Not negative.
    seconds : float
        Length of each recording, at least 1 s.

    Returns
    -------
    Path
        ``recordings.csv``: ``path``, ``experiment``, ``condition``, ``take``, ``voice``, ``room``, ``vowels`` (in IPA)
        and ``level_db`` (RMS relative to full scale). Beside it is ``recordings/``: 16 kHz, 16 bit, mono.

    Raises
    ------
    TaskError
        If `seed` or `seconds` is too small.
    OutputError
        If a recording cannot be written.
    """
    folder = Path(folder)
    if seed < 0:
        raise TaskError(f"`seed`: found {seed}, expected 0 or more")
    if not _MIN_SECONDS <= seconds < float("inf"):
        raise TaskError(f"`seconds`: found {seconds}, expected a finite number, at least {_MIN_SECONDS:g}")
    (folder / "recordings").mkdir(parents=True, exist_ok=True)
    responses = {room: impulse_response(room, _rng(seed, _ROOM_STREAM, i)) for i, room in enumerate((STUDIO, HALL))}

    def write_recording(design: int, take: int) -> tuple[object, ...]:
        """Write a recording of one row of the design, and return its row of the manifest."""
        experiment, condition, voice, room, vowels = DESIGN[design]
        # Both conditions of an experiment have the same two levels, so that levels do not reveal the condition.
        level_db = round(_rng(seed, _LEVEL_STREAM, design // 2, take).uniform(-32, -26), 1)
        rng = _rng(seed, _RECORDING_STREAM, design, take)
        speech = speak(voice, syllables(vowels, seconds, rng), rng)[: round(seconds * RATE_HZ)]
        wave = record(speech, room, responses[room], rng)
        wave *= 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2))
        path = f"recordings/{experiment}-{condition}-{take}.wav"
        samples = np.rint(wave * 32_767).clip(-32_768, 32_767).astype(np.int16)
        write_wav(folder / path, samples, RATE_HZ)
        return path, experiment, condition, take, voice.name, room.name, " ".join(vowels), level_db

    designs_and_takes = [(design, take) for design in range(len(DESIGN)) for take in _TAKES]
    with ThreadPoolExecutor(_MAX_WORKERS) as pool:
        rows = list(pool.map(write_recording, *zip(*designs_and_takes, strict=True)))
    manifest = folder / "recordings.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows(rows)
    return manifest


def _rng(seed: int, *key: int) -> np.random.Generator:
    """Return the random stream of a seed and a key, independent of all other streams."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
