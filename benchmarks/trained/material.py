"""Real speech of five kinds, joined into a waveform each: telephone prompts, syllables, words, and two synthesisers."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from abxfast.audio import stream
from abxfast.errors import AudioError

RATE_HZ = 16_000
MAX_S = 240.0
"""Seconds of each kind that are used."""
TEXT = (
    "The north wind and the sun were disputing which was the stronger, when a traveller came along wrapped in a warm "
    "cloak. They agreed that the one who first succeeded in making the traveller take his cloak off should be "
    "considered stronger than the other. Then the north wind blew as hard as he could, but the more he blew the more "
    "closely did the traveller fold his cloak around him; and at last the north wind gave up the attempt. Then the "
    "sun shined out warmly, and immediately the traveller took off his cloak. And so the north wind was obliged to "
    "confess that the sun was the stronger of the two. "
)
"""The fable of the phonetic association, a minute of speech."""
VOICES = ("en-us", "de", "fr-fr", "es", "ru", "cmn", "en-us+f3", "en-gb-scotland+m7")
"""Of espeak-ng, each of which reads the text as if it were its language."""


def read_kinds(speech: Path) -> dict[str, np.ndarray]:
    """Return the waveform of each kind, float32 at `RATE_HZ`.

    Parameters
    ----------
    speech : Path
        Folder with the unpacked packages of ``benchmarks/studies/speech.py --fetch``.
    """
    share = speech / "usr/share"
    return {
        "Asterisk, prompts": _join(sorted((share / "asterisk/sounds/en_US_f_Allison").glob("*.wav"))),
        "gcin-voice, syllables": _join(sorted((share / "gcin-voice/ogg").rglob("*.ogg"))),
        "klettres, words and letters": _join(sorted((share / "klettres").rglob("*.ogg"))),
        "festival, diphones": _synthesise([["text2wave", "-o", "@", "text"]], repeats=5),
        "espeak-ng, formants": _synthesise([["espeak-ng", "-v", voice, "-w", "@", "-f", "text"] for voice in VOICES]),
    }


def _join(paths: list[Path]) -> np.ndarray:
    """Join files in a random order (seed 0) until `MAX_S` are reached."""
    order = np.random.default_rng(0).permutation(len(paths))
    waves, n_samples = [], 0
    for i in order:
        with suppress(AudioError):  # some files of klettres are cut short
            waves.append(np.concatenate(list(stream(paths[i], RATE_HZ))))
            n_samples += len(waves[-1])
        if n_samples >= MAX_S * RATE_HZ:
            break
    return np.concatenate(waves)[: round(MAX_S * RATE_HZ)]


def _synthesise(commands: list[list[str]], repeats: int = 1) -> np.ndarray:
    """Run commands that read the file ``text`` and write the wave file in place of ``@``, and join what they say."""
    waves = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "text").write_text(TEXT * repeats, encoding="utf-8")
        for command in commands:
            path = folder / "speech.wav"
            subprocess.run([str(path) if word == "@" else word for word in command], cwd=folder, check=True)  # noqa: S603
            waves.append(np.concatenate(list(stream(path, RATE_HZ))))
    return np.concatenate(waves)[: round(MAX_S * RATE_HZ)]
