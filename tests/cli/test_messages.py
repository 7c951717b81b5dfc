"""Messages of the library in the words of the command line."""

import inspect

import pytest

import abxfast
from abxfast.cli.app import app
from abxfast.cli.messages import COMMANDS, OPTIONS, PARAMETERS, to_command_line
from abxfast.cluster import embed_on_cluster
from abxfast.export import export
from abxfast.study import write_study


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("`hop_s`: found 0, expected seconds", "--hop: found 0, expected seconds"),
        ("choose a shorter length in `snippets`, or pass `remainder='keep'`", None),
        ("keep `hop_s` and `remainder`, or choose a new `store`", "keep --hop and --remainder, or choose a new -o"),
        ("create it with `abxfast.embed`", "create it with abxfast embed"),
        ("no column `tone` in `manifest`", "no column `tone` in --manifest"),
        ("two\n  lines", "two lines"),
    ],
)
def test_parameters_become_options(message, expected):
    expected = expected or "choose a shorter length in --snippet, or pass --remainder keep"
    assert to_command_line(message) == expected


def test_every_translated_parameter_is_one():
    functions = (
        *(abxfast.embed, abxfast.score_store, abxfast.nearest_recordings, abxfast.plan_study, abxfast.run_study),
        *(export, write_study, embed_on_cluster),
    )
    parameters = {name for function in functions for name in inspect.signature(function).parameters}
    assert set(OPTIONS) | PARAMETERS <= parameters


def test_every_translated_command_exists():
    for name, command in COMMANDS.items():
        module, _, function = name.rpartition(".")
        assert hasattr(__import__(module, fromlist=[function]), function)
        assert command.removeprefix("abxfast ") in {command.name for command in app.registered_commands}
