"""The audio on which an export is calibrated and checked."""

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
from abxfast.synthetic_speech import write_corpus

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

MAX_S = 640.0
"""Seconds that are used at most, an equal share of each recording."""
MIN_S = 10.0
"""Seconds that are needed."""
CALIBRATION_SHARE = 0.125
"""Share of the audio that is used for calibration, and never for the parity check."""
SEGMENT_S = 10.0


class CalibrationAudio(NamedTuple):
    """Recordings, concatenated and divided between calibration and parity check.

    Attributes
    ----------
    name : str
        Description for the parity report.
    segments : list of ndarray of float32, shape (samples,)
        For calibration: segments of at most `SEGMENT_S`, 16 kHz mono.
    parity_halves : tuple of two ndarray of float32, shape (samples,)
        For the parity check, whose ABX scores compare one half with the other.
    """

    name: str
    segments: list[NDArray[np.float32]]
    parity_halves: tuple[NDArray[np.float32], NDArray[np.float32]]


def read_calibration_audio(folder: Path | None, most_samples: int | None = None) -> CalibrationAudio:
    """Read the recordings in a folder, or create the stimuli of ``abxfast demo`` if it is None.

    Parameters
    ----------
    folder : Path or None
    most_samples : int, optional
        Length of the longest segment that the model takes.

    Raises
    ------
    ExportError
        If the folder holds no audio, or too little.
    """
    if folder is None:
        try:
            with tempfile.TemporaryDirectory() as temporary:
                write_corpus(Path(temporary))
                return _divide(
                    _read_recordings(Path(temporary), "`check`"), "stimuli of abxfast demo", "`check`", most_samples
                )
        except OSError as error:
            raise ExportError(
                f"the demo stimuli cannot be written to the temporary folder ({error}); free some space there, "
                "set TMPDIR, or pass a folder of recordings as `check`"
            ) from error
    parameter = f"`check='{folder}'`"
    return _divide(_read_recordings(folder, parameter), folder.resolve().name, parameter, most_samples)


def _read_recordings(folder: Path, parameter: str) -> NDArray[np.float32]:
    """Read the start of each recording, and concatenate them."""
    try:
        paths = list(dict.fromkeys(item.path for item in load_manifest(folder).items))
    except ManifestError as error:
        raise ExportError(f"{parameter}: {error}") from error
    max_samples = round(MAX_S / len(paths) * SAMPLE_RATE_HZ) if paths else 0
    waves, problems = [], []
    for path in paths:
        try:
            waves.append(_read_start(path, max_samples))
        except AudioError as error:
            problems.append(str(error))
    if not waves:
        raise ExportError(f"{parameter}: no readable recording{f' ({problems[0]})' if problems else ''}")
    for problem in problems:
        logger.warning("%s: skipped: %s", parameter, problem)
    return np.concatenate(waves)


def _read_start(path: Path, max_samples: int) -> NDArray[np.float32]:
    blocks, n_samples = [], 0
    for block in stream(path, SAMPLE_RATE_HZ):
        blocks.append(block)
        n_samples += len(block)
        if n_samples >= max_samples:
            break
    return np.concatenate(blocks)[:max_samples]


def _divide(wave: NDArray[np.float32], name: str, parameter: str, most_samples: int | None) -> CalibrationAudio:
    if len(wave) < MIN_S * SAMPLE_RATE_HZ:
        raise ExportError(f"{parameter}: {len(wave) / SAMPLE_RATE_HZ:.1f} s of audio, expected at least {MIN_S:g} s")
    end = round(len(wave) * CALIBRATION_SHARE)
    length = min(round(SEGMENT_S * SAMPLE_RATE_HZ), most_samples or len(wave))
    segments = [wave[i : min(i + length, end)] for i in range(0, end, length)]
    segments = [segment for segment in segments if len(segment) >= min(length, SAMPLE_RATE_HZ) or len(segments) == 1]
    middle = (end + len(wave)) // 2
    return CalibrationAudio(name, segments, (wave[end:middle], wave[middle:]))
