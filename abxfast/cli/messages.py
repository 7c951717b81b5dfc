"""Messages of the library in the words of the command line.

The library names parameters in backticks, `` `hop_s` ``, also with a value, `` `remainder='keep'` ``. Here they become
the options and commands that a user of the command line knows.
"""

from __future__ import annotations

import re

from abxfast._files import to_printable

OPTIONS = {
    "allow_drift": "--allow-drift",
    "check": "--check",
    "design": "--design",
    "different": "--different",
    "hop_s": "--hop",
    "k": "-k",
    "keep": "--keep",
    "layers": "--layers",
    "max_size_group": "--max-size-group",
    "max_x_across": "--max-x-across",
    "memory_mb": "--memory-mb",
    "min_gap_s": "--min-gap",
    "output": "-o",
    "pad_s": "--pad",
    "paths_or_manifest": "RECORDINGS",
    "poolings": "--pooling",
    "results": "-o",
    "ship_encoder": "--ship-encoder",
    "snippets": "--snippet",
    "store": "-o",
    "timeout_s": "--timeout",
}
"""Options whose name differs from that of the parameter by more than two dashes."""
PARAMETERS = frozenset(
    (
        *("across", "by", "channel", "cluster", "encoder", "estimate", "excel", "manifest", "on", "order"),
        *("precision", "provider", "remainder", "revision", "seed", "snippet", "standardise", "threads", "variant"),
    )
)
COMMANDS = {
    "abxfast.embed": "abxfast embed",
    "abxfast.plan_study": "abxfast plan",
    "abxfast.run_study": "abxfast run",
    "abxfast.score_store": "abxfast score",
    "abxfast.export": "abxfast export",
    "abxfast.study.write_study": "abxfast init",
}
_REFERENCE = re.compile(r"`(?P<name>[A-Za-z_][\w.]*)(?:=(?P<quote>['\"]?)(?P<value>[^`]*?)(?P=quote))?`")


def to_command_line(message: str) -> str:
    """Return a message on one line, fit for a terminal, its parameters and functions named as on the command line."""
    return to_printable(" ".join(_REFERENCE.sub(_translate, message).split()))


def _translate(reference: re.Match[str]) -> str:
    name, value = reference["name"], reference["value"]
    if name in COMMANDS:
        return COMMANDS[name]
    if name not in OPTIONS and name not in PARAMETERS:
        return reference[0]
    option = OPTIONS.get(name, f"--{name}")
    return option if value is None else f"{option} {value}"
