"""The command line. Imports lazily: ``--help`` and ``--version`` need typer and nothing heavier."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from abxfast._version import __version__
from abxfast.cli.process import configure_process
from abxfast.cli.terminal import cli_logging, clock, progress_bar, say
from abxfast.errors import AbxfastError

if TYPE_CHECKING:
    from abxfast.embedding import EmbedReport

DONE, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="abxfast",
    help="How close are recordings, and along which dimension? ABX scores from speech encoders, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say only what went wrong.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more, also what libraries print.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def main() -> None:
    """Run the command line; an error that the user can mend is one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that cannot show IPA must not end a night's work
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    try:
        app()
    except AbxfastError as error:
        sys.stderr.write(f"abxfast: {' '.join(str(error).split())}\n")
        sys.exit(WRONG_USE)
    except KeyboardInterrupt:
        sys.stderr.write("abxfast: stopped\n")
        sys.exit(INTERRUPTED)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"abxfast {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # handled by its callback
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Nothing stands before the commands but --version."""


@app.command()
def embed(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders, audio files, or one manifest (.csv, .tsv).", show_default=False),
    ] = None,
    store: Annotated[Path | None, typer.Option("-o", "--store", help="The store to make or add to.")] = None,
    snippet: Annotated[
        list[str] | None, typer.Option(help="Length in seconds, or whole; may be repeated. [default: 10]")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from one snippet to the next. [default: the length]")
    ] = None,
    remainder: Annotated[str, typer.Option(help="A last, shorter snippet: drop or keep.")] = "drop",
    channel: Annotated[str, typer.Option(help="mix, or the number of a channel from 0.")] = "mix",
    manifest: Annotated[Path | None, typer.Option(help="Table of recordings with a column 'path'.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Name or ONNX file. [default: mfcc]")] = None,
    provider: Annotated[str, typer.Option(help="What runs the encoder: auto, cpu, cuda, …")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Snippets at a time. [default: all processors]")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Turn recordings into vectors, in a store. Run it again to resume, or to add recordings and lengths."""
    if store is None:
        raise AbxfastError("embed: no store given; add -o NAME.store")
    if bool(recordings) == (manifest is not None):
        raise AbxfastError("embed: give recordings (folders, files), or --manifest, one of the two")
    with cli_logging(quiet=quiet, verbose=verbose) as console:
        from abxfast.embedding import embed as embed_recordings
        from abxfast.encoders import DEFAULT_ENCODER

        configure_process()

        if encoder is None:
            say(
                "encoder: mfcc, the acoustic baseline that comes with abxfast; it is not XLSR-53. "
                "For that, give --encoder its ONNX file (see 'Encoders' in the README)",
            )
        try:
            with progress_bar(console) as progress:
                report = embed_recordings(
                    manifest or recordings or [],
                    store,
                    encoder=encoder or DEFAULT_ENCODER,
                    snippets=snippet or ["10"],
                    hop_s=hop,
                    remainder=remainder,
                    channel=channel,
                    provider=provider,
                    threads=threads,
                    progress=progress,
                )
        except KeyboardInterrupt:
            sys.stderr.write(f"abxfast: stopped; what is done is in {store}: run the same command again to resume\n")
            sys.exit(INTERRUPTED)
        if as_json:
            typer.echo(_json(vars(report)))
        say(_summary(report, store))
    if report.failures:
        raise typer.Exit(SOME_FAILED)


@app.command()
def score(
    store: Annotated[Path, typer.Argument(help="A store that abxfast embed made.")],
    snippet: Annotated[str | None, typer.Option(help="Length in seconds, or whole.")] = None,
    variant: Annotated[str | None, typer.Option(help="Which vector. [default: the encoder's own]")] = None,
    on: Annotated[str, typer.Option(help="The label that A and X share and B lacks.")] = "recording",
    by: Annotated[list[str] | None, typer.Option(help="A label that all three share; may be repeated.")] = None,
    across: Annotated[
        list[str] | None, typer.Option(help="A label in which X differs from A and B; may be repeated.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Metadata to use in place of the store's.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help=".csv, .tsv, .json or .parquet")] = None,
    min_gap: Annotated[float, typer.Option(help="Seconds between a and x of one recording, at least.")] = 0.0,
    different: Annotated[
        list[str] | None, typer.Option(help="A label in which x differs from a, such as recording; may be repeated.")
    ] = None,
    max_size_group: Annotated[int | None, typer.Option(help="Draw at most so many snippets of each group.")] = None,
    max_x_across: Annotated[int | None, typer.Option(help="Draw at most so many X for each A and B.")] = None,
    seed: Annotated[int, typer.Option(help="Of these draws.")] = 0,
    memory_mb: Annotated[float, typer.Option(help="Memory for vectors and distances.")] = 512,
    threads: Annotated[int | None, typer.Option(help="Threads to count with. [default: all processors]")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Score the snippets of a store: every pair of recordings, or of any label of the manifest."""
    with cli_logging(quiet=quiet, verbose=verbose):
        from abxfast.scoring import check_output, format_scores_csv, format_scores_json, score_store, write_scores

        configure_process()

        if output is not None:
            check_output(output)
        scores = score_store(
            store,
            snippet=snippet,
            variant=variant,
            manifest=manifest,
            on=on,
            by=by or (),
            across=across or (),
            min_gap_s=min_gap,
            different=different or (),
            max_size_group=max_size_group,
            max_x_across=max_x_across,
            seed=seed,
            memory_mb=memory_mb,
            threads=threads,
        )
        if output is not None:
            write_scores(scores, output)
            say(f"{scores.table.num_rows} cells in {output} (encoder {scores.encoder}, {scores.variant})")
        if as_json:
            typer.echo(format_scores_json(scores), nl=False)
        elif output is None and sys.stdout.isatty():
            from rich.console import Console

            from abxfast.cli.score_table import print_scores

            print_scores(scores, Console())
        elif output is None:
            typer.echo(format_scores_csv(scores), nl=False)


@app.command(name="init")
def init_study(
    manifest: Annotated[Path, typer.Argument(help="A table of recordings, or a folder of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The study file to write.")] = Path("study.toml"),
    design: Annotated[
        str, typer.Option(help="One of the paper's: recording-conditions, voice, segments. [default: by the columns]")
    ] = "",
) -> None:
    """Write a study file for recordings, with comments, to be changed in any editor."""
    with cli_logging(quiet=False, verbose=False):
        from abxfast.study import write_study

        write_study(manifest, output, design or None)
        say(f"{output} is written: look through it, then abxfast plan {output}")


@app.command(name="plan")
def plan_command(
    study: Annotated[Path, typer.Argument(help="A study file.")],
    results: Annotated[Path, typer.Option("-o", "--results", help="What is done there counts.")] = Path("results"),
    provider: Annotated[str, typer.Option(help="What runs the encoder: auto, cpu, cuda, …")] = "auto",
    memory_mb: Annotated[float, typer.Option(help="Memory for vectors and distances.")] = 512,
    threads: Annotated[int | None, typer.Option(help="Threads to use. [default: all processors]")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Check a study, and say what it takes: snippets, triplets, disk, memory, and time left on this machine."""
    with cli_logging(quiet=quiet, verbose=verbose):
        from abxfast.study import plan_study

        found = plan_study(study, results, provider=provider, memory_mb=memory_mb, threads=threads)
        if as_json:
            typer.echo(_json(found.to_json()))
        else:
            typer.echo("\n".join(found.lines()))


@app.command(name="run")
def run_command(
    study: Annotated[Path, typer.Argument(help="A study file.")],
    results: Annotated[Path, typer.Option("-o", "--results", help="The folder to make or to go on with.")] = Path(
        "results"
    ),
    provider: Annotated[str, typer.Option(help="What runs the encoder: auto, cpu, cuda, …")] = "auto",
    memory_mb: Annotated[float, typer.Option(help="Memory for vectors and distances.")] = 512,
    threads: Annotated[int | None, typer.Option(help="Threads to use. [default: all processors]")] = None,
    report: Annotated[bool, typer.Option(help="Draw figures and write the page.")] = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Carry out a study: embed what is missing, score, test, draw. Run it again to resume."""
    with cli_logging(quiet=quiet, verbose=verbose) as console:
        from abxfast.study import run_study

        try:
            with progress_bar(console) as progress:
                done = run_study(
                    study,
                    results,
                    provider=provider,
                    memory_mb=memory_mb,
                    threads=threads,
                    report=report,
                    progress=progress,
                )
        except KeyboardInterrupt:
            sys.stderr.write(f"abxfast: stopped; what is done is in {results}: run the same command again to resume\n")
            sys.exit(INTERRUPTED)
        there = f", {done.kept} of them were there" if done.kept else ""
        say(f"{done.steps} steps in {clock(done.wall_s)}{there}: tables in {results / 'tables'}")
    if done.failures:
        raise typer.Exit(SOME_FAILED)


@app.command()
def info(
    what: Annotated[str, typer.Argument(metavar="STORE|MODEL", help="A store, an ONNX file, or an encoder's name.")],
    as_json: AsJson = False,
) -> None:
    """Say what is in a store or an encoder."""
    with cli_logging(quiet=True, verbose=False):
        from abxfast.cli.info import describe_encoder, describe_store

        if Path(what).is_dir():
            from abxfast.store import open_store

            pairs = list(describe_store(open_store(Path(what))))
        else:
            from abxfast.encoders import find_encoder

            pairs = list(describe_encoder(find_encoder(what)))
        _print_pairs(pairs, as_json=as_json)


@app.command()
def export(
    source: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="A folder, or an id of the Hugging Face hub.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file, NAME.onnx.")] = None,
    precision: Annotated[str, typer.Option(help="int8 for CPUs, fp16 for GPUs, fp32.")] = "int8",
    layers: Annotated[str, typer.Option(help="Layers to put out: 21, or 9,21, or 1-24.")] = "21",
    pooling: Annotated[str, typer.Option(help="max, mean, std, or several: max,mean.")] = "max",
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the hub.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Recordings to calibrate and check on; without, those of the demo.")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Keep these layers in fp32; repeat at will.")] = None,
    allow_drift: Annotated[float | None, typer.Option(help="Drift to let through, in place of all limits.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make an encoder of a checkpoint: XLSR-53 or another wav2vec 2.0 or HuBERT model, checked against PyTorch."""
    with cli_logging(quiet=quiet, verbose=verbose):
        import signal

        from abxfast.export.command import run

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind then either
        try:
            typer.echo(run(source, output, precision, layers, pooling, revision, check, keep or [], allow_drift))
        except KeyboardInterrupt:
            sys.stderr.write("abxfast: stopped; nothing was written\n")
            sys.exit(INTERRUPTED)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to make the recordings.")] = Path("abxfast-demo"),
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a small corpus with known answers, embed and score it: the whole pipeline in a minute, offline."""
    with cli_logging(quiet=quiet, verbose=verbose) as console:
        from abxfast.cli.demo import run

        with progress_bar(console) as progress:
            finished = run(folder, say=say, progress=progress)
        typer.echo(finished)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look for what is wrong with this installation."""
    from abxfast.cli.doctor import diagnose

    found = diagnose()
    problems = [("problem", problem) for problem in found.problems]
    _print_pairs([*found.findings, *problems, ("", "") if problems else ("problems", "none")], as_json=as_json)
    if problems:
        raise typer.Exit(SOME_FAILED)


def _print_pairs(pairs: list[tuple[str, str]], *, as_json: bool) -> None:
    pairs = [(word, value) for word, value in pairs if word]
    if as_json:
        typer.echo(_json(dict(pairs)))
        return
    width = max(len(word) for word, _ in pairs)
    for word, value in pairs:
        typer.echo(f"{word:<{width}}  {value}")


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=1)


def _summary(report: EmbedReport, store: Path) -> str:
    done = f"{report.snippets:,} snippets of {report.recordings - report.skipped} recordings"
    speed = report.audio_s / report.wall_s if report.wall_s else 0.0
    text = f"{done} into {store} with {report.encoder} on {report.provider}: "
    text += f"{clock(report.audio_s)} of audio in {clock(report.wall_s)}, {speed:,.0f} × real time"
    if report.skipped:
        text += f"; {report.skipped} recordings were there already"
    if report.failures:
        text += f"; {len(report.failures)} failed, see above"
    return text


if __name__ == "__main__":
    main()
