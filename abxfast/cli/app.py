"""The program. Imports lazily: ``--help`` and ``--version`` need typer and nothing heavier."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from abxfast._files import is_disk_full
from abxfast._version import __version__
from abxfast.cli import encoder_commands, store_commands, study_commands
from abxfast.cli.messages import to_command_line
from abxfast.cli.options import INTERRUPTED, SOME_FAILED, WRONG_USE
from abxfast.errors import AbxfastError

app = typer.Typer(
    name="abxfast",
    help="How close are recordings, and along which dimension? ABX scores from speech encoders, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="embed")(store_commands.embed_command)
app.command(name="score")(store_commands.score_command)
app.command(name="near")(store_commands.near_command)
app.command(name="forget")(store_commands.forget_command)
app.command(name="init")(study_commands.init_command)
app.command(name="plan")(study_commands.plan_command)
app.command(name="run")(study_commands.run_command)
app.command(name="info")(store_commands.info_command)
app.command(name="export")(encoder_commands.export_command)
app.command(name="demo")(study_commands.demo_command)
app.command(name="doctor")(encoder_commands.doctor_command)


def main() -> None:
    """Run the command line; an error that the user can correct is one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that cannot show IPA must not end a night's work
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    try:
        app()
    except AbxfastError as error:
        sys.stderr.write(f"abxfast: {to_command_line(str(error))}\n")
        sys.exit(SOME_FAILED if is_disk_full(error) else WRONG_USE)
    except OSError as error:  # of standard output, or of a path that no system accepts
        problem = f"{error.filename or 'standard output'}: cannot be used ({error.strerror or error})"
        sys.stderr.write(f"abxfast: {to_command_line(problem)}\n")
        sys.exit(SOME_FAILED if is_disk_full(error) else WRONG_USE)
    except KeyboardInterrupt:
        sys.stderr.write("abxfast: stopped\n")
        sys.exit(INTERRUPTED)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"abxfast {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[  # handled by its callback
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command: --version only."""


if __name__ == "__main__":
    main()
