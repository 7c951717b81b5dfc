"""``abxfast demo``: recordings with known answers, created, embedded and scored."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from abxfast._files import write_atomic
from abxfast.embedding import embed
from abxfast.errors import AbxfastError
from abxfast.scoring import AbxScores, score_store
from abxfast.store import open_store
from abxfast.synthetic_speech import write_corpus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abxfast.embedding import Progress

LENGTHS_S = (1.0, 10.0)
RECORDING_S = 60.0
MIN_CONTRAST = 0.1
"""Two conditions count as different if their mean score exceeds that of the control by this much."""
_QUESTIONS = {
    "room": ("rooms", "one voice, the same kind of syllables, in two rooms"),
    "voice": ("voices", "two voices in one room"),
    "vowels": ("sets of vowels", "one voice in one room, with two sets of vowels"),
}
STUDY_FILE = "study.toml"
STUDY = """\
[study]
title = "Two rooms, two voices, two sets of vowels"
manifest = "recordings.csv"
encoders = ["mfcc"]
snippets = [1, 5]

[experiment.room]            # one voice in two rooms, two recordings of each
on = "recording"
where = { experiment = "room" }

[experiment.voice]           # two voices in one room
on = "recording"
where = { experiment = "voice" }

[experiment.vowels]          # one voice in one room, two sets of vowels
on = "recording"
where = { experiment = "vowels" }
"""
"""The study that is written beside the recordings."""


def run_demo(
    folder: Path, *, inform: Callable[[str], None] = print, progress: Callable[[Progress], None] | None = None
) -> str:
    """Create the corpus in `folder`, embed it with ``mfcc`` and score it; write a study of it, unless there is one.

    Parameters
    ----------
    folder : Path
        A new folder, or that of an earlier demo.
    inform : callable
        Receives a line on each step.
    progress : callable, optional
        See `abxfast.embed`.

    Returns
    -------
    str
        Three small matrices, one for each contrast, each with a sentence on what it shows, and one on how far the
        scores of the controls are from chance.

    Raises
    ------
    AbxfastError
        If the folder holds something else.
    """
    manifest = folder / "recordings.csv"
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not manifest.exists())):
        raise AbxfastError(f"{folder}: exists and is not an earlier demo; name a new folder")
    inform(f"writing recordings to {folder}")
    manifest = write_corpus(folder, seconds=RECORDING_S)
    if not (folder / STUDY_FILE).exists():
        write_atomic(folder / STUDY_FILE, STUDY.encode())
    store = folder / "demo.store"
    report = embed(manifest, store, encoder="mfcc", snippets=LENGTHS_S, progress=progress)
    inform(
        f"{report.snippets} snippets embedded with {report.encoder} (an acoustic baseline, not XLSR-53) into {store}"
    )
    by_length = [score_store(store, snippet=length, on="recording", by=["experiment"]) for length in LENGTHS_S]
    condition = {row["recording"]: row["condition"] for row in open_store(store).manifest_rows().values()}
    parts = [_format_contrast(experiment, by_length, condition) for experiment in _QUESTIONS]
    parts.append(_describe_controls(by_length, condition))
    parts.append(
        "Score: the share of triplets in which X is closer to A (another snippet of its own recording) than to B.\n"
        "0.5: chance level; 1: perfect discrimination. Encoder: mfcc.\n\n"
        f"Next: abxfast info {store}\n"
        f"      abxfast score {store} --snippet 1 --on condition --by experiment\n"
        f"      abxfast run {folder / STUDY_FILE} -o {folder / 'results'}"
    )
    return "\n\n".join(parts)


def _format_contrast(experiment: str, by_length: list[AbxScores], condition: dict[str, str]) -> str:
    """Return the matrices of one contrast side by side, and a sentence on them."""
    tables = [
        {
            (row["recording"], row["recording_b"]): row["score"]
            for row in scores.table.to_pylist()
            if row["experiment"] == experiment
        }
        for scores in by_length
    ]
    names = sorted({a for a, _ in tables[0]})
    labels = [PurePosixPath(name).stem for name in names]
    width = max(map(len, labels)) + 4
    block = 6 * len(names)
    lines = [
        f"{experiment}: {_QUESTIONS[experiment][1]}",
        " " * width + "   ".join(f"{length:g} s snippets".center(block) for length in LENGTHS_S).rstrip(),
        "A, X".rjust(width - 1)
        + " "
        + "   ".join("".join(f"B={i + 1}".rjust(6) for i in range(len(names))) for _ in tables),
    ]
    for number, (name, label) in enumerate(zip(names, labels, strict=True), 1):
        cells = ("".join(_cell(table.get((name, b))) for b in names) for table in tables)
        lines.append(f"{number} {label}".ljust(width) + "   ".join(cells).rstrip())
    return "\n".join([*lines, _sentence(experiment, tables, condition)])


def _describe_controls(by_length: list[AbxScores], condition: dict[str, str]) -> str:
    """Return a sentence on the scores of two recordings of one condition, and why they differ from 0.5."""
    spreads = []
    for length, scores in zip(LENGTHS_S, by_length, strict=True):
        rows = scores.table.to_pylist()
        same = [row["score"] for row in rows if condition[row["recording"]] == condition[row["recording_b"]]]
        spreads.append(f"{min(same):.2f} to {max(same):.2f} at {length:g} s")
    counts = [f"{RECORDING_S / length:g} snippets of {length:g} s" for length in LENGTHS_S]
    return (
        f"Two recordings of one condition should score 0.5. Such pairs score {' and '.join(spreads)}:\n"
        f"a recording has {' but only '.join(counts)}, and few snippets make for uncertain scores."
    )


def _cell(score: float | None) -> str:
    return " " * 6 if score is None else f"{score:6.2f}"


def _sentence(experiment: str, tables: list[dict[tuple[str, str], float]], condition: dict[str, str]) -> str:
    """Compare the contrast with its control, two recordings that share the condition."""
    contrasts, controls, lengths = [], [], []
    for length, table in zip(LENGTHS_S, tables, strict=True):
        other = [score for (a, b), score in table.items() if condition[a] != condition[b]]
        same = [score for (a, b), score in table.items() if condition[a] == condition[b]]
        contrast, control = sum(other) / len(other), sum(same) / len(same)
        contrasts.append(f"{contrast:.2f} at {length:g} s")
        controls.append(f"{control:.2f} at {length:g} s")
        if contrast - control > MIN_CONTRAST:
            lengths.append(f"{length:g} s")
    things = _QUESTIONS[experiment][0]
    verdict = (
        f"mfcc distinguishes the {things} at {' and '.join(lengths)}"
        if lengths
        else f"mfcc does not distinguish the {things}"
    )
    return f"Different {things}: {', '.join(contrasts)}; the same, as a control: {', '.join(controls)}.\n{verdict}."
