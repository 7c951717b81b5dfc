"""Export a checkpoint to an encoder file, and check it against PyTorch."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from abxfast.errors import EncoderError, ExportError
from abxfast.export.options import check_arguments, check_output, check_packages, check_request
from abxfast.export.staging import disk_errors, staged_path
from abxfast.export.tolerances import TOLERANCES, Tolerances, check_parity, violations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.encoders import EncoderInfo
    from abxfast.export.builder import EncoderBuilder
    from abxfast.export.parity import ParityRow, ReferenceVectors

logger = logging.getLogger(__name__)

TARGET_DRIFT = 0.02
"""The lossiest layers of an int8 encoder with a larger drift are kept in fp32, within `FP32_BUDGET`."""


class Exported(NamedTuple):
    """Result of `export`.

    Attributes
    ----------
    path : Path
        The encoder file.
    info : EncoderInfo
        What it declares about itself.
    rows : list of ParityRow
        The parity report.
    """

    path: Path
    info: EncoderInfo
    rows: list[ParityRow]


def export(
    source: str,
    output: str | Path,
    *,
    precision: str = "int8",
    layers: Sequence[int] = (21,),
    poolings: Sequence[str] = ("max",),
    revision: str | None = None,
    check: str | Path | None = None,
    keep: Sequence[str] = (),
    allow_drift: float | None = None,
    pad_s: float = 0.0,
) -> Exported:
    """Export a checkpoint to an encoder file, and check it against PyTorch.

    Parameters
    ----------
    source : str
        Folder of a checkpoint, or its id on the Hugging Face hub.
    output : path
        The file to be written, ``….onnx``; its stem is the name of the encoder.
    precision : str
        ``int8`` for CPUs, ``fp16`` for GPUs, or ``fp32``.
    layers : sequence of int
        Hidden states in the output; the largest is that of the default variant.
    poolings : sequence of str
        Of ``max``, ``mean`` and ``std``; the first is that of the default variant.
    revision : str, optional
        Branch, tag or commit on the hub.
    check : path, optional
        Folder of recordings for calibration and parity check; by default the stimuli of ``abxfast demo``.
    keep : sequence of str
        Names of inputs whose linear layers stay in fp32 in any case, such as ``blocks.3.ffn2``.
    allow_drift : float, optional
        Maximum drift to accept, in place of all tolerances of the precision; a warning lists those that are exceeded.
    pad_s : float
        Seconds to which the encoder pads shorter snippets with silence, such as 30 for Whisper, which was trained so;
        the frames of the silence are not pooled. By default snippets are not padded.

    Returns
    -------
    Exported

    Raises
    ------
    ExportError
        If the checkpoint cannot be used, or the encoder is not close enough to PyTorch. No file is written then.
    MissingPackageError
        If the ``export`` extra is not installed.

    Examples
    --------
    >>> from abxfast.export import export
    >>> encoder = export("facebook/wav2vec2-large-xlsr-53", "xlsr53-l21.int8.onnx")  # doctest: +SKIP
    >>> encoder.info.default_variant  # doctest: +SKIP
    'layer21.max'
    """
    path = Path(output)
    check_packages()
    check_output(path)
    check_arguments(precision, layers, poolings, allow_drift, pad_s)
    from abxfast.export.builder import EncoderBuilder
    from abxfast.export.calibration_audio import read_calibration_audio
    from abxfast.export.checkpoint import describe_checkpoint, fetch_weights
    from abxfast.export.parity import TorchReference, compute_references, parity_metadata

    layers, poolings = tuple(sorted(set(layers))), tuple(dict.fromkeys(poolings))
    with staged_path(path) as staged:
        checkpoint = describe_checkpoint(source, revision, pad_s)
        logger.info("normalisation of waveforms: %s (%s)", checkpoint.normalise, checkpoint.normalise_from)
        check_request(checkpoint, layers[-1], precision, keep, path)
        most_samples = checkpoint.architecture.most_samples
        audio = read_calibration_audio(None if check is None else Path(check), most_samples)
        checkpoint = fetch_weights(checkpoint)
        builder = EncoderBuilder(path, checkpoint, audio, layers, poolings, precision, keep)
        builder.write(staged)
        references = compute_references(TorchReference(checkpoint, layers, poolings), audio, most_samples)
        rows = _measure(staged, references, path)
        if precision == "int8":
            rows = _reduce_drift(builder, rows, staged, references, path)
        check_parity(rows, precision, allow_drift, path, builder.lossiest_inputs)
        info = replace(builder.info, parity=parity_metadata(rows, audio.name) | builder.provenance())
        builder.write_parity(staged, info)
        with disk_errors(path):
            staged.replace(path)
    return Exported(path, info, rows)


def _measure(staged: Path, references: Sequence[ReferenceVectors], path: Path) -> list[ParityRow]:
    from abxfast.export.parity import measure_parity

    try:
        return measure_parity(staged, references)
    except EncoderError as error:
        raise ExportError(str(error).replace(str(staged), f"{path}: not written")) from error


def _reduce_drift(
    builder: EncoderBuilder,
    rows: list[ParityRow],
    staged: Path,
    references: Sequence[ReferenceVectors],
    path: Path,
) -> list[ParityRow]:
    """Keep the lossiest layers in fp32 if the drift is above `TARGET_DRIFT` or ABX scores change too much.

    A changed score implies no target for the drift, so the whole budget is used then.
    """
    drift = max(row.drift95 for row in rows)
    scores_changed = violations(rows, Tolerances(abx=TOLERANCES["int8"].abx))
    target = 0.0 if scores_changed else TARGET_DRIFT
    if not drift > target:
        return rows
    builder.keep_lossiest(drift, target)
    builder.write(staged)
    return _measure(staged, references, path)
