"""Options that several commands share, and their exit statuses."""

from __future__ import annotations

from typing import Annotated

import typer

SOME_FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130

Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors and warnings only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print more, including what libraries print.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Cluster = Annotated[
    str | None, typer.Option(help="Workers of Dask: tcp://HOST:8786, local:N, or a .toml file for a batch system.")
]
Provider = Annotated[str, typer.Option(help="What runs the encoder: auto, cpu, cuda, …")]
Excel = Annotated[bool, typer.Option("--excel", help="Mark CSV files as UTF-8, as Excel needs it.")]
Timeout = Annotated[float, typer.Option(help="Seconds that decoding 2 s, or encoding a snippet, may take.")]
MemoryMb = Annotated[float, typer.Option(help="Memory for vectors and distances, in MB.")]
Estimate = Annotated[
    float | None,
    typer.Option(help="Estimate scores to this standard error, such as 0.005, in place of counting every triplet."),
]
Standardise = Annotated[
    str | None,
    typer.Option(help="Standardise each channel over the vectors: center, or zscore. [default: neither]"),
]
