"""What ``abxfast export`` reads from the command line, and what it says."""

from __future__ import annotations

import re
from pathlib import Path

from abxfast.encoders import encoders_folder, format_parity
from abxfast.errors import ExportError
from abxfast.export.exporter import export

MAX_LAYERS = 200


def run(
    source: str,
    output: Path | None,
    precision: str,
    layers: str,
    pooling: str,
    revision: str | None,
    check: Path | None,
    keep: list[str],
    allow_drift: float | None,
) -> str:
    """Export, and give the parity table."""
    if not source:
        raise ExportError("export: no checkpoint given, expected a folder or an id of the Hugging Face hub")
    numbers = parse_layers(layers)
    if output is None:
        name = Path(source).resolve().name if Path(source).is_dir() else source.rpartition("/")[2]
        stem = f"{name}-l{max(numbers)}.{precision}"
        output = encoders_folder() / f"{stem}.onnx"
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExportError(f"{output.parent}: cannot be made ({error.strerror}); name a file with -o") from error
    done = export(
        source,
        output,
        precision=precision,
        layers=numbers,
        poolings=[name.strip() for name in pooling.split(",")],
        revision=revision,
        check=check,
        keep=keep,
        allow_drift=allow_drift,
    )
    size = done.path.stat().st_size / 1e6
    licence = done.info.licence or "not stated by the checkpoint"
    greatest = done.info.parity["greatest |x| of each hidden state"]
    peaks = ""
    if precision == "fp16" and isinstance(greatest, list):
        peaks = f"\n\ngreatest |x| of layers 0 to {len(greatest) - 1}: {', '.join(f'{x:g}' for x in greatest)}"
    return (
        f"{format_parity(done.info.parity)}{peaks}\n\n{done.path}: {size:.0f} MB, {done.info.precision}, "
        f"{', '.join(done.info.variants)}; licence of the weights: {licence}\n"
        f"Next: abxfast embed RECORDINGS -o NAME.store --encoder {done.path}"
    )


def parse_layers(text: str) -> list[int]:
    """Read ``21``, ``9,21`` or ``1-24``.

    Raises
    ------
    ExportError
        Where `text` is none of these.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= MAX_LAYERS:
            raise ExportError(f"--layers: found {text!r}, expected numbers such as 21, 9,21 or 1-24")
        numbers += range(first, last + 1)
    return sorted(set(numbers))
