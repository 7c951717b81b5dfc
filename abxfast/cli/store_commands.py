"""Commands on stores: embed, score, near, forget, info."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from abxfast.cli.messages import to_command_line
from abxfast.cli.options import (
    INTERRUPTED,
    SOME_FAILED,
    AsJson,
    Cluster,
    Estimate,
    Excel,
    MemoryMb,
    Provider,
    Quiet,
    Standardise,
    Timeout,
    Verbose,
)
from abxfast.cli.process import configure_process
from abxfast.cli.terminal import cli_logging, cli_progress, format_json, inform, print_pairs
from abxfast.errors import AbxfastError, ClusterLostError, EncoderError

if TYPE_CHECKING:
    from abxfast.embedding import EmbedReport


def embed_command(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders, audio files, or one manifest (.csv, .tsv, .xlsx, .ods).", show_default=False),
    ] = None,
    store: Annotated[Path | None, typer.Option("-o", "--store", help="The store to create or extend.")] = None,
    snippet: Annotated[
        list[str] | None, typer.Option(help="Length in seconds, or whole; may be repeated. [default: 10]")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from one snippet to the next. [default: the length]")
    ] = None,
    remainder: Annotated[str, typer.Option(help="A last, shorter snippet: drop or keep.")] = "drop",
    channel: Annotated[str, typer.Option(help="mix, or the number of a channel, counted from 0.")] = "mix",
    manifest: Annotated[Path | None, typer.Option(help="Table of recordings with a column 'path'.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Name or ONNX file. [default: mfcc]")] = None,
    provider: Provider = "auto",
    threads: Annotated[int | None, typer.Option(help="Snippets at a time. [default: all processors]")] = None,
    timeout: Timeout = 600.0,
    cluster: Cluster = None,
    ship_encoder: Annotated[bool, typer.Option(help="Send the encoder to workers that cannot see its file.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Turn recordings into vectors, in a store. Run it again to resume, or to add recordings and lengths."""
    if store is None:
        raise AbxfastError("embed: no store given; add -o NAME.store")
    if bool(recordings) == (manifest is not None):
        raise AbxfastError("embed: give either recordings (folders, files) or --manifest")
    _check_cluster_options(cluster, threads, ship_encoder=ship_encoder)
    with cli_logging(quiet=quiet, verbose=verbose) as console:
        configure_process()
        from abxfast.embedding import embed
        from abxfast.encoders import DEFAULT_ENCODER
        from abxfast.store import is_store

        if encoder is None and not is_store(store):
            inform(
                "encoder: mfcc, the acoustic baseline that comes with abxfast; it is not XLSR-53. "
                "For that, give --encoder its ONNX file (see 'XLSR-53' in the README)",
            )
        try:
            with cli_progress(console, quiet=quiet) as progress:
                options: dict[str, Any] = {
                    "encoder": encoder or DEFAULT_ENCODER,
                    "snippets": snippet or ["10"],
                    "hop_s": hop,
                    "remainder": remainder,
                    "channel": channel,
                    "provider": provider,
                    "timeout_s": timeout,
                    "progress": progress,
                }
                audio = manifest or recordings or []
                if cluster is None:
                    report = embed(audio, store, threads=threads, **options)
                else:
                    from abxfast.cluster import embed_on_cluster

                    report = embed_on_cluster(audio, store, cluster, ship_encoder=ship_encoder, **options)
        except KeyboardInterrupt:
            sys.stderr.write(f"abxfast: stopped; what is done is in {store}: run the same command again to resume\n")
            sys.exit(INTERRUPTED)
        except ClusterLostError as error:
            sys.stderr.write(f"abxfast: {to_command_line(str(error))}\n")
            sys.exit(SOME_FAILED)
        if as_json:
            typer.echo(format_json(vars(report)))
        inform(_summary(report, store))
    if report.failures:
        raise typer.Exit(SOME_FAILED)


def score_command(
    store: Annotated[Path, typer.Argument(help="A store that abxfast embed created.")],
    snippet: Annotated[str | None, typer.Option(help="Length in seconds, or whole.")] = None,
    variant: Annotated[str | None, typer.Option(help="Which vector. [default: the encoder's own]")] = None,
    on: Annotated[str, typer.Option(help="The label that A and X share and B lacks.")] = "recording",
    by: Annotated[list[str] | None, typer.Option(help="A label that all three share; may be repeated.")] = None,
    across: Annotated[
        list[str] | None, typer.Option(help="A label in which X differs from A and B; may be repeated.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Metadata to use in place of the store's.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help=".csv, .tsv, .json or .parquet")] = None,
    excel: Excel = False,
    min_gap: Annotated[float, typer.Option(help="Minimum number of seconds between a and x of one recording.")] = 0.0,
    different: Annotated[
        list[str] | None, typer.Option(help="A label in which x differs from a, such as recording; may be repeated.")
    ] = None,
    max_size_group: Annotated[
        int | None, typer.Option(help="Maximum number of snippets of each group; more are subsampled.")
    ] = None,
    max_x_across: Annotated[
        int | None, typer.Option(help="Maximum number of X for each A and B; more are subsampled.")
    ] = None,
    estimate: Estimate = None,
    seed: Annotated[int, typer.Option(help="Seed of the subsampling.")] = 0,
    standardise: Standardise = None,
    memory_mb: MemoryMb = 512,
    threads: Annotated[int | None, typer.Option(help="Threads to count with. [default: all processors]")] = None,
    cluster: Cluster = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Score the snippets of a store: every pair of recordings, or of any label of the manifest."""
    _check_cluster_options(cluster, threads)
    if cluster is not None and estimate is not None:
        raise AbxfastError("score: --estimate runs on one machine; leave out --cluster")
    if cluster is not None and standardise is not None:
        raise AbxfastError("score: --standardise runs on one machine; leave out --cluster")
    with cli_logging(quiet=quiet, verbose=verbose):
        configure_process()
        from abxfast.scoring import check_output, format_scores_csv, format_scores_json, score_store, write_scores

        if output is not None:
            check_output(output, excel=excel)
        options: dict[str, Any] = {
            "snippet": snippet,
            "variant": variant,
            "manifest": manifest,
            "on": on,
            "by": by or (),
            "across": across or (),
            "min_gap_s": min_gap,
            "different": different or (),
            "max_size_group": max_size_group,
            "max_x_across": max_x_across,
            "seed": seed,
            "memory_mb": memory_mb,
        }
        if cluster is None:
            scores = score_store(store, threads=threads, estimate=estimate, standardise=standardise, **options)
        else:
            from abxfast.cluster import score_on_cluster

            scores = score_on_cluster(store, cluster, **options)
        if output is not None:
            write_scores(scores, output, excel=excel)
            standardised = "" if standardise is None else f", {standardise}"
            source = f"encoder {scores.encoder}, {scores.variant}{standardised}"
            inform(f"{scores.table.num_rows} cells in {output} ({source})")
        if as_json:
            typer.echo(format_scores_json(scores), nl=False)
        elif output is None and sys.stdout.isatty():
            from rich.console import Console

            from abxfast.cli.score_table import print_scores

            print_scores(scores, Console())
        elif output is None:
            typer.echo(format_scores_csv(scores, excel=excel), nl=False)


def forget_command(
    store: Annotated[Path, typer.Argument(help="A store that abxfast embed created.")],
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Recordings or items, by name, or by the path of the file.")
    ],
    quiet: Quiet = False,
) -> None:
    """Remove recordings from a store: their vectors and their labels. The audio files stay as they are."""
    with cli_logging(quiet=quiet, verbose=False):
        from abxfast.store import forget, open_store

        forgotten = forget(open_store(store), names)
        inform(f"removed from {store}: {', '.join(forgotten.items)} ({forgotten.n_snippets:,} snippets)")


def near_command(
    store: Annotated[Path, typer.Argument(help="A store that abxfast embed created.")],
    recording: Annotated[str, typer.Argument(help="The name of a recording in it.")],
    k: Annotated[int, typer.Option("-k", help="How many to list.")] = 10,
    order: Annotated[str, typer.Option(help="What counts as near: score or distance.")] = "score",
    snippet: Annotated[str | None, typer.Option(help="Length in seconds, or whole.")] = None,
    variant: Annotated[str | None, typer.Option(help="Which vector. [default: the encoder's own]")] = None,
    standardise: Standardise = None,
    estimate: Estimate = None,
    seed: Annotated[int, typer.Option(help="Seed of the estimates.")] = 0,
    memory_mb: MemoryMb = 512,
    as_json: AsJson = False,
) -> None:
    """List the recordings that are closest to one: the hardest to discriminate from it."""
    with cli_logging(quiet=False, verbose=False):
        configure_process()
        from abxfast.scoring import nearest_recordings

        table = nearest_recordings(
            store,
            recording,
            k=k,
            order=order,
            snippet=snippet,
            variant=variant,
            standardise=standardise,
            estimate=estimate,
            seed=seed,
            memory_mb=memory_mb,
        )
        if as_json:
            typer.echo(format_json(table.to_pylist()))
            return
        from rich.console import Console

        from abxfast.cli.score_table import print_nearest

        print_nearest(recording, table, Console())


def info_command(
    what: Annotated[str, typer.Argument(metavar="STORE|MODEL", help="A store, an ONNX file, or an encoder's name.")],
    as_json: AsJson = False,
) -> None:
    """Describe a store or an encoder."""
    with cli_logging(quiet=True, verbose=False):
        from abxfast.cli.info import describe_encoder, describe_store

        if Path(what).is_dir():
            from abxfast.store import open_store

            pairs = list(describe_store(open_store(Path(what))))
        else:
            from abxfast.encoders import find_encoder

            try:
                path = find_encoder(what)
            except EncoderError as error:
                raise EncoderError(str(error).removeprefix("`encoder`: ")) from error
            pairs = list(describe_encoder(path))
        print_pairs(pairs, as_json=as_json)


def _check_cluster_options(cluster: str | None, threads: int | None, *, ship_encoder: bool = False) -> None:
    if cluster is None and ship_encoder:
        raise AbxfastError("--ship-encoder is for workers of --cluster; add that, or leave it out")
    if cluster is not None and threads is not None:
        raise AbxfastError("--threads is for one machine; workers of --cluster have threads of their own")


def _summary(report: EmbedReport, store: Path) -> str:
    from abxfast.embedding import format_clock

    speed = report.audio_s / report.wall_s if report.wall_s else 0.0
    text = (
        f"{report.snippets:,} snippets of {_count_recordings(report.embedded)} into {store} with "
        f"{report.encoder} on {report.provider}: {format_clock(report.audio_s)} of audio in "
        f"{format_clock(report.wall_s)}, {speed:,.0f} × real time"
    )
    if report.skipped:
        text += f"; {_count_recordings(report.skipped)} in the store already"
    if report.renamed:
        text += f"; {len(report.renamed)} renamed"
    if report.failures:
        text += f"; {len(report.failures)} failed, see above"
    return text


def _count_recordings(count: int) -> str:
    return f"{count:,} recording{'s' * (count != 1)}"
