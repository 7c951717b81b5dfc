"""The audio that an export is calibrated and checked on."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.audio import stream
from abxfast.errors import AudioError, ExportError, ManifestError
from abxfast.export.architecture import SAMPLE_RATE_HZ
from abxfast.manifest import load_manifest
from abxfast.stimuli import write_corpus

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

MAX_S = 640.0
"""Seconds that are used, an equal share of each recording."""
CALIBRATION_SHARE = 0.125
"""Of the audio; the parity check never hears it."""
PIECE_S = 10.0
MIN_S = 10.0


class Material(NamedTuple):
    """Recordings, joined end to end.

    Attributes
    ----------
    name : str
        What it is, for the record.
    calibration : list of ndarray of float32
        Pieces of at most 10 s, 16 kHz mono.
    halves : tuple of ndarray of float32
        Two stretches: what ABX scores of the check tell apart.
    """

    name: str
    calibration: list[NDArray[np.float32]]
    halves: tuple[NDArray[np.float32], NDArray[np.float32]]


def read_material(folder: Path | None) -> Material:
    """Read recordings, or make those of ``abxfast demo`` where no folder is given.

    Raises
    ------
    ExportError
        Where the folder holds no audio, or too little.
    """
    if folder is None:
        try:
            with tempfile.TemporaryDirectory() as made:
                write_corpus(Path(made))
                return _cut(_joined(Path(made), "--check"), "stimuli of abxfast demo")
        except OSError as error:
            raise ExportError(
                f"the stimuli of abxfast demo cannot be written to the temporary folder ({error}); make room there, "
                "set TMPDIR, or give recordings with --check"
            ) from error
    return _cut(_joined(folder, f"--check {folder}"), folder.resolve().name)


def _joined(folder: Path, origin: str) -> NDArray[np.float32]:
    try:
        paths = list(dict.fromkeys(item.path for item in load_manifest(folder).items))
    except ManifestError as error:
        raise ExportError(f"{origin}: {error}") from error
    share = round(MAX_S / len(paths) * SAMPLE_RATE_HZ) if paths else 0
    parts, problems = [], []
    for path in paths:
        try:
            parts.append(_start(path, share))
        except AudioError as error:
            problems.append(str(error))
    if not parts:
        raise ExportError(f"{origin}: no recording that can be read{f' ({problems[0]})' if problems else ''}")
    for problem in problems:
        logger.warning("%s: left out: %s", origin, problem)
    return np.concatenate(parts)


def _start(path: Path, samples: int) -> NDArray[np.float32]:
    blocks, have = [], 0
    for block in stream(path, SAMPLE_RATE_HZ):
        blocks.append(block)
        have += len(block)
        if have >= samples:
            break
    return np.concatenate(blocks)[:samples]


def _cut(wave: NDArray[np.float32], name: str) -> Material:
    if len(wave) < MIN_S * SAMPLE_RATE_HZ:
        found = len(wave) / SAMPLE_RATE_HZ
        raise ExportError(f"--check {name}: {found:.1f} s of audio, expected at least {MIN_S:g} s")
    end = round(len(wave) * CALIBRATION_SHARE)
    step = round(PIECE_S * SAMPLE_RATE_HZ)
    pieces = [wave[i : min(i + step, end)] for i in range(0, end, step)]
    pieces = [piece for piece in pieces if len(piece) >= SAMPLE_RATE_HZ or len(pieces) == 1]
    middle = (end + len(wave)) // 2
    return Material(name, pieces, (wave[end:middle], wave[middle:]))
