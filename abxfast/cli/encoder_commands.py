"""Commands on encoders and the installation: export, doctor."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from abxfast.cli.options import INTERRUPTED, SOME_FAILED, AsJson, Quiet, Verbose
from abxfast.cli.terminal import cli_logging, print_pairs
from abxfast.errors import ExportError

if TYPE_CHECKING:
    from abxfast.export import Exported

MAX_LAYERS = 200


def export_command(
    source: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="A folder, or an id of the Hugging Face hub.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file, NAME.onnx.")] = None,
    precision: Annotated[str, typer.Option(help="int8 for CPUs, fp16 for GPUs, fp32.")] = "int8",
    layers: Annotated[str, typer.Option(help="Layers to output: 21, or 9,21, or 1-24.")] = "21",
    pooling: Annotated[str, typer.Option(help="max, mean, std, or several: max,mean.")] = "max",
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the hub.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Recordings to calibrate and check on. [default: those of the demo]")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="A layer to keep in fp32; may be repeated.")] = None,
    allow_drift: Annotated[float | None, typer.Option(help="Drift to accept, in place of all tolerances.")] = None,
    pad: Annotated[
        float, typer.Option(help="Seconds to pad shorter snippets to: 30 for what Whisper was trained on.")
    ] = 0.0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export a checkpoint: XLSR-53 or another wav2vec 2.0 model, HuBERT or Whisper, checked against PyTorch."""
    with cli_logging(quiet=quiet, verbose=verbose):
        import signal

        from abxfast.export import export

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind then either
        if not source:
            raise ExportError("export: no checkpoint given, expected a folder or an id of the Hugging Face hub")
        numbers = parse_layers(layers)
        try:
            exported = export(
                source,
                output or _default_output(source, max(numbers), precision),
                precision=precision,
                layers=numbers,
                poolings=[name.strip() for name in pooling.split(",")],
                revision=revision,
                check=check,
                keep=keep or [],
                allow_drift=allow_drift,
                pad_s=pad,
            )
        except KeyboardInterrupt:
            sys.stderr.write("abxfast: stopped; nothing was written\n")
            sys.exit(INTERRUPTED)
        typer.echo(_summary(exported, precision))


def doctor_command(as_json: AsJson = False) -> None:
    """Check this installation for problems."""
    from abxfast.cli.doctor import diagnose

    diagnosis = diagnose()
    problems = [("problem", problem) for problem in diagnosis.problems]
    print_pairs([*diagnosis.findings, *(problems or [("problems", "none")])], as_json=as_json)
    if problems:
        raise typer.Exit(SOME_FAILED)


def parse_layers(text: str) -> list[int]:
    """Parse ``21``, ``9,21`` or ``1-24``.

    Raises
    ------
    ExportError
        If `text` is none of these.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= MAX_LAYERS:
            raise ExportError(f"--layers: found {text!r}, expected numbers such as 21, 9,21 or 1-24")
        numbers += range(first, last + 1)
    return sorted(set(numbers))


def _default_output(source: str, layer: int, precision: str) -> Path:
    from abxfast.encoders import encoders_folder

    name = Path(source).resolve().name if Path(source).is_dir() else source.rpartition("/")[2]
    folder = encoders_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{folder}: cannot be created ({error.strerror}); name a file with -o") from error
    return folder / f"{name}-l{layer}.{precision}.onnx"


def _summary(exported: Exported, precision: str) -> str:
    from abxfast.encoders import format_parity

    info = exported.info
    size_mb = exported.path.stat().st_size / 1e6
    peaks = info.parity["greatest |x| of each hidden state"]
    shown_peaks = ""
    if precision == "fp16" and isinstance(peaks, list):
        shown_peaks = f"\n\ngreatest |x| of layers 0 to {len(peaks) - 1}: {', '.join(f'{x:g}' for x in peaks)}"
    return (
        f"{format_parity(info.parity)}{shown_peaks}\n\n{exported.path}: {size_mb:.0f} MB, {info.precision}, "
        f"{', '.join(info.variants)}; licence of the weights: {info.licence or 'not stated by the checkpoint'}\n"
        f"Next: abxfast embed RECORDINGS -o NAME.store --encoder {exported.path}"
    )
