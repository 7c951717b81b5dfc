"""Commands on studies: init, plan, run, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from abxfast._files import to_printable
from abxfast.cli.options import INTERRUPTED, SOME_FAILED, AsJson, Excel, MemoryMb, Provider, Quiet, Timeout, Verbose
from abxfast.cli.process import configure_process
from abxfast.cli.terminal import cli_logging, cli_progress, format_json, inform

_Threads = Annotated[int | None, typer.Option(help="Threads to use. [default: all processors]")]


def init_command(
    manifest: Annotated[Path, typer.Argument(help="A table of recordings, or a folder of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The study file to write.")] = Path("study.toml"),
    design: Annotated[
        str, typer.Option(help="One of the paper's: recording-conditions, voice, segments. [default: by the columns]")
    ] = "",
) -> None:
    """Write a study file for recordings, with comments, to be edited in any editor."""
    with cli_logging(quiet=False, verbose=False):
        from abxfast.study import write_study

        write_study(manifest, output, design or None)
        inform(f"wrote {output}: edit it, then run abxfast plan {output}")


def plan_command(
    study: Annotated[Path, typer.Argument(help="A study file.")],
    results: Annotated[
        Path, typer.Option("-o", "--results", help="The results folder; what is finished there is not counted again.")
    ] = Path("results"),
    provider: Provider = "auto",
    memory_mb: MemoryMb = 512,
    threads: _Threads = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Check a study, and estimate what it takes: snippets, triplets, disk, memory, and time left on this machine."""
    with cli_logging(quiet=quiet, verbose=verbose):
        configure_process()
        from abxfast.study import plan_study

        plan = plan_study(study, results, provider=provider, memory_mb=memory_mb, threads=threads)
        typer.echo(format_json(plan.to_json()) if as_json else "\n".join(map(to_printable, plan.lines())))


def run_command(
    study: Annotated[Path, typer.Argument(help="A study file.")],
    results: Annotated[Path, typer.Option("-o", "--results", help="The folder to create or to continue.")] = Path(
        "results"
    ),
    provider: Provider = "auto",
    memory_mb: MemoryMb = 512,
    threads: _Threads = None,
    timeout: Timeout = 600.0,
    report: Annotated[bool, typer.Option(help="Draw figures and write the page.")] = True,
    excel: Excel = False,
    embed_audio: Annotated[
        bool, typer.Option("--embed-audio", help="Put clips of the snippets to listen to into the page.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser at the end.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Carry out a study: embed what is missing, score, test, draw. Run it again to resume."""
    if not report and (embed_audio or open_page):
        raise typer.BadParameter("--embed-audio and --open need the page; leave out --no-report")
    with cli_logging(quiet=quiet, verbose=verbose) as console:
        configure_process()
        from abxfast.cli.run_progress import run_progress
        from abxfast.embedding import format_clock
        from abxfast.study import run_study

        try:
            with run_progress(console, quiet=quiet) as progress:
                run = run_study(
                    study,
                    results,
                    provider=provider,
                    memory_mb=memory_mb,
                    threads=threads,
                    timeout_s=timeout,
                    report=report,
                    excel=excel,
                    embed_audio=embed_audio,
                    progress=progress.embedding if progress else False,
                    on_step=progress.step if progress else None,
                )
        except KeyboardInterrupt:
            sys.stderr.write(f"abxfast: stopped; what is done is in {results}: run the same command again to resume\n")
            sys.exit(INTERRUPTED)
        kept = f", {run.kept} of them from an earlier run" if run.kept else ""
        inform(f"{run.steps} analyses in {format_clock(run.wall_s)}{kept}: tables in {results / 'tables'}")
        if run.page:
            inform(f"page: {run.page.resolve()}")
            if open_page:
                _open_in_browser(run.page)
    if run.failures:
        raise typer.Exit(SOME_FAILED)


def _open_in_browser(page: Path) -> None:
    """Open a page in the browser of the system, or say that there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        inform("no browser was found: open the page yourself")


def demo_command(
    folder: Annotated[Path, typer.Argument(help="Where to write the recordings.")] = Path("abxfast-demo"),
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Create a small corpus with known answers, embed and score it: the whole pipeline in a minute, offline."""
    with cli_logging(quiet=quiet, verbose=verbose) as console:
        configure_process()
        from abxfast.cli.demo import run_demo

        with cli_progress(console, quiet=quiet) as progress:
            text = run_demo(folder, inform=inform, progress=progress)
        typer.echo(text)
