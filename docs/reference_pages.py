"""The reference pages of the documentation, made from the program: commands, study file, tables, Python, encoders.

``docs/build.py`` writes them into the site; they are not kept in the repository.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import TYPE_CHECKING, Any

import typer

import abxfast
import abxfast.statistics
from abxfast.cli.app import app
from abxfast.encoders import EncoderInfo
from abxfast.results import TABLES
from abxfast.study.keys import EXPERIMENT_KEYS, STUDY_KEYS, KeyInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

_DEFAULT = re.compile(r" *\[default: (?P<value>[^]]*)\]$")
_ARRAY_TYPES = {"string": "text", "double": "number", "int64": "whole number", "bool": "true or false"}


def commands() -> str:
    """Return the page of commands, with the options of each."""
    parts = [
        "# Commands\n",
        (
            "What `abxfast COMMAND --help` prints. Exit status: 0, done; 1, done but for some recordings, each of which is named; "
            "2, wrong use, or input that stops the work before it starts; 130, stopped by Ctrl-C.\n"
        ),
    ]
    for name, command in typer.main.get_command(app).commands.items():
        parts.append(f"## abxfast {name} {{ #{name} }}\n")
        parts.append(f"{command.help}\n")
        parts.append(f"```text\nabxfast {name} {' '.join(_usage(command.params))}\n```\n")
        parts.append(_table(("option", "meaning", "default"), map(_option, _shown(command.params))))
    return "\n".join(parts)


def _shown(parameters: Iterable[Any]) -> list[Any]:
    return [parameter for parameter in parameters if parameter.name != "help"]


def _usage(parameters: Iterable[Any]) -> list[str]:
    """Return the arguments of a command, as its help shows them."""
    arguments = []
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            name = _argument_name(parameter) + ("..." if parameter.nargs == -1 else "")
            arguments.append(name if parameter.required else f"[{name}]")
    return [*arguments, "[OPTIONS]"]


def _argument_name(parameter: Any) -> str:
    return (parameter.metavar or parameter.name).rstrip(".").upper()


def _option(parameter: Any) -> tuple[str, str, str]:
    """Return one row: the option or argument, its meaning, its default."""
    meaning, default = parameter.help or "", "" if parameter.default is None else f"`{parameter.default}`"
    if match := _DEFAULT.search(meaning):
        meaning, default = meaning[: match.start()], match["value"]
    if parameter.param_type_name == "argument":
        name = f"`{_argument_name(parameter)}`"
    else:
        name = ", ".join(f"`{spelling}`" for spelling in (*parameter.opts, *parameter.secondary_opts))
        if isinstance(parameter.default, bool):
            default = f"`{parameter.opts[-1]}`" if parameter.default else ""
    return name, meaning, "required" if parameter.required else default


def study_file() -> str:
    """Return the page of the keys of a study file."""
    return "\n".join(
        [
            "# The study file\n",
            (
                "A study file is [TOML](https://toml.io). It has one table `[study]`, and one table `[experiment.NAME]` for each question; "
                "names may have letters, digits, spaces and the characters `. + -`. `abxfast init` writes a file to start from. "
                "Every key is checked before any work starts; a message about a mistake names its line.\n"
            ),
            "## [study] { #study }\n",
            _keys(STUDY_KEYS),
            "## [experiment.NAME] { #experiment }\n",
            _keys(EXPERIMENT_KEYS),
            (
                "The words ON, BY and ACROSS are in the [glossary](../glossary.md#on-by-across); "
                "[labels and confounds](../howto/labels.md) shows when to use which.\n"
            ),
        ]
    )


def _keys(keys: Mapping[str, KeyInfo]) -> str:
    rows = ((f"`{name}`", info.values, info.default, info.meaning) for name, info in keys.items())
    return _table(("key", "values", "default", "meaning"), rows)


def tables() -> str:
    """Return the data dictionary: every table of a results folder with its columns."""
    parts = [
        "# Tables\n",
        (
            "A results folder has each table as CSV, Parquet and JSON in `tables/`, and this dictionary as `tables/dictionary.json`. "
            'From Python: `abxfast.read_results("results")`.\n'
        ),
    ]
    for name, schema in TABLES.items():
        parts.append(f"## {name}\n")
        parts.append(f"{schema.description}\n")
        rows = ((f"`{column}`", _ARRAY_TYPES[str(info.type)], info.meaning) for column, info in schema.columns.items())
        parts.append(_table(("column", "type", "meaning"), rows))
    return "\n".join(parts)


def python() -> str:
    """Return the page of the public names, which mkdocstrings fills in."""
    return (
        "# From Python\n\n"
        "Importing abxfast, or calling it, leaves the process as it was. Errors are children of `abxfast.AbxfastError` and name the "
        "parameter at fault.\n\n"
    ) + _public_names(abxfast)


def statistics() -> str:
    """Return the page of the statistics, likewise."""
    return (
        "# Statistics of arrays\n\n"
        "What a study computes, as functions of arrays, in `abxfast.statistics`. [Statistics in detail](../statistics.md) says what they assume.\n\n"
    ) + _public_names(abxfast.statistics)


def _public_names(module: ModuleType) -> str:
    members = {name: getattr(module, name) for name in module.__all__ if not name.startswith("_")}
    classes = [name for name, member in members.items() if inspect.isclass(member)]
    functions = [name for name, member in members.items() if callable(member) and name not in classes]
    parts = []
    for heading, names in (("Functions", functions), ("Classes", classes)):
        parts += [f"## {heading}\n", *(f"::: {module.__name__}.{name}\n" for name in names)]
    return "\n".join(parts)


def encoder_metadata() -> str:
    """Return the page of the keys by which an encoder file describes itself."""
    keys = EncoderInfo(
        name="",
        variants=(),
        default_variant="",
        sample_rate_hz=0,
        least_samples=0,
        frame_hop_samples=0,
        normalisation="",
        precision="",
        most_samples=0,
    ).to_metadata()
    meanings = _documented_attributes(EncoderInfo)
    types = {field.name: str(field.type) for field in dataclasses.fields(EncoderInfo)}
    rows = []
    for key in keys:
        name = key.removeprefix("abxfast.")
        meaning = meanings.get(name, "Version of this contract.")
        rows.append((f"`{key}`", _SPELLINGS.get(types.get(name, "str"), "text"), meaning))
    return "\n".join(
        [
            "# The encoder contract\n",
            (
                "An encoder is one ONNX file. Its input `input_values` is float32 `[batch, samples]`: mono waveforms of equal length, in "
                "[−1, 1]. Its output `embeddings` is float32 `[batch, variants, dim]`: the vectors of each waveform, pooled over time "
                "inside the graph. It describes itself in its metadata (`metadata_props`), in which these keys are required, unless said otherwise; values "
                "are text.\n"
            ),
            _table(("key", "value", "meaning"), rows),
            "[Bring your own encoder](../howto/own-encoder.md) shows how to write such a file.\n",
        ]
    )


_SPELLINGS = {
    "int": "whole number",
    "int | None": "whole number; may be left out",
    "tuple[str, ...]": "JSON list of distinct names",
    "dict[str, str]": "JSON object",
    "dict[str, object]": "JSON object",
}


def _documented_attributes(documented: type) -> dict[str, str]:
    """Return the meaning of each attribute from the numpydoc section Attributes of a class."""
    section = inspect.cleandoc(documented.__doc__ or "").partition("Attributes\n----------\n")[2]
    meanings = {}
    for match in re.finditer(r"^(?P<names>\w[\w, ]*) : .*\n(?P<text>(?:    .*\n?)+)", section, re.MULTILINE):
        text = " ".join(match["text"].split()).replace("``", "`")
        meanings.update((name.strip(), text) for name in match["names"].split(","))
    return meanings


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/study.md": study_file,
    "reference/tables.md": tables,
    "reference/python.md": python,
    "reference/statistics.md": statistics,
    "reference/encoder-contract.md": encoder_metadata,
}
"""The pages by their path in the site."""
