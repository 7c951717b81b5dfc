"""What ``benchmarks/studies/experiments.py`` tells: the tables of RESULTS.md, and the figure of the README."""

from __future__ import annotations

import json

import numpy as np

from abxfast.figures import Sheet, settings
from abxfast.figures.style import INK, MARKERS, QUIET, SERIES, SMALL

SEEDED = {"full.int8": "seeded weights"}
"""What the encoders of ``embed.py make`` are called where they are shown."""
LENGTHS = {1.0: "1 s", 5.0: "5 s", 10.0: "10 s", 20.0: "20 s", None: "one syllable"}
SYLLABLE_S = 0.35
"""Where a syllable stands on the axis of lengths: about its median."""
MAX_PAIRS = 3
"""Pairs of an experiment that have rows of their own, at most."""
LINES = ("-", (0, (1, 1.4)), (0, (4, 2)))
PANELS = {
    "conditions": ("Recording conditions", {"condition": "the channel", "control": "control: texts"}),
    "voice": ("Voice and genre", {"genre": "spoken or sung", "control": "control: texts"}),
    "segments": ("Segments", {"initial": "how syllables begin", "ending": "how they end", "voice": "who speaks"}),
    "languages": ("Languages", {"language": "the language", "control": "control: letters, syllables"}),
}
"""Of the figure: for each study its title, and the experiments to draw."""
OF_ONE = "-of-one"
"""What the name of an experiment on single syllables ends with: it is a point of the curve that it is named after."""
MATRIX_PIXELS = 1000
"""Width of a matrix among others."""
_WIDTH, _PANEL, _HEIGHT, _BELOW = 175.0, 74.0, 44.0, 22.0


def read(results, name):
    """Give a table of a results folder as rows."""
    return json.loads((results / "tables" / f"{name}.json").read_text(encoding="utf-8"))


def to_markdown(results):
    """Give what a study found, as Markdown: scores by length, classification, sentences on lengths."""
    scores = {}
    for row in read(results, "summary"):
        _keep(scores, row, "all")
    pairs = read(results, "pairs")
    for experiment in dict.fromkeys(row["experiment"] for row in pairs):
        own = [row for row in pairs if row["experiment"] == experiment]
        if 1 < len({(row["a"], row["b"]) for row in own}) <= MAX_PAIRS:
            for row in own:
                _keep(scores, row, ", ".join(sorted((row["a"], row["b"]))))
    order = list(dict.fromkeys(experiment for experiment, _, _ in scores))
    lengths = [length for length in LENGTHS if any(length in own for own in scores.values())]
    lines = [
        f"| experiment | pair | encoder | {' | '.join(LENGTHS[length] for length in lengths)} |",
        f"|---|---|---|{'---|' * len(lengths)}",
    ]
    for experiment, pair, encoder in sorted(scores, key=lambda key: order.index(key[0])):
        cells = [_cell(scores[experiment, pair, encoder].get(length)) for length in lengths]
        lines.append(f"| {experiment} | {pair} | {SEEDED.get(encoder, encoder)} | {' | '.join(cells)} |")
    lines += ["", *_classified(results)]
    said = [row for row in read(results, "sentences") if row["kind"] == "length"]
    lines += [f"- {row['experiment']}, {SEEDED.get(row['encoder'], row['encoder'])}: {row['text']}" for row in said]
    return "\n".join(lines)


def _keep(scores, row, pair):
    key = (row["experiment"].removesuffix(OF_ONE), pair, row["encoder"])
    scores.setdefault(key, {})[row["snippet_s"]] = row


def _cell(row):
    """Write a score with its interval and p; what is not there is left out."""
    if row is None or row["score"] is None:
        return ""
    interval = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    p = "" if row["p"] is None else "; p < 0.001" if row["p"] < 0.001 else f"; p = {row['p']:.2g}"  # noqa: PLR2004
    return f"{row['score']:.2f}{interval}{p}"


def _classified(results):
    """Give a line for each label that was guessed: how many recordings got their own, by length."""
    found = {}
    for row in read(results, "accuracy"):
        if row["n"]:
            told = f"{round(row['accuracy'] * row['n'])} of {row['n']} at {LENGTHS[row['snippet_s']]}"
            found.setdefault((row["classify"], row["encoder"]), []).append(told)
    lines = [
        f"- recordings that get their own {column} by {SEEDED.get(encoder, encoder)}: {', '.join(told)}"
        for (column, encoder), told in found.items()
    ]
    return [*lines, ""] if lines else []


def draw(folder, path):
    """Draw the scores of all studies over snippet length: a panel for each, a colour for each encoder."""
    studies = [name for name in PANELS if (folder / name / "results" / "tables" / "summary.json").exists()]
    rows = -(-len(studies) // 2)
    with settings(["DejaVu Sans"]):
        sheet = Sheet(_WIDTH, 8 + rows * (_HEIGHT + _BELOW))
        encoders = []
        for number, name in enumerate(studies):
            left, top = 12 + (number % 2) * (_PANEL + 14), 12 + (number // 2) * (_HEIGHT + _BELOW)
            axes = sheet.axes(left, top, _PANEL, _HEIGHT)
            sheet.text(left, top - 4.5, PANELS[name][0], weight="bold")
            summary = read(folder / name / "results", "summary")
            encoders = list(dict.fromkeys([*encoders, *(row["encoder"] for row in summary)]))
            _panel(axes, summary, PANELS[name][1], encoders)
        left = 12.0
        for number, encoder in enumerate(encoders):
            text = sheet.text(left + 3, 1, SEEDED.get(encoder, encoder), color=SERIES[number], weight="bold")
            sheet.text(left, 1, "■", color=SERIES[number])
            left += 8 + 1.7 * len(text.get_text())
        sheet.text(left, 1, "bands: 95 %, where there is an interval; dashed grey: chance", color=QUIET)
        sheet.figure.savefig(path, dpi=180, metadata={"Software": None})


def draw_matrices(results, path, experiment="recordings", length="10s"):
    """Put the matrices of both encoders, as ``abxfast run`` drew them, beside each other, small enough for a page."""
    from PIL import Image

    entries = json.loads((results / "figures" / "figures.json").read_text(encoding="utf-8"))
    names = [
        entry["name"]
        for entry in entries
        if entry["kind"] == "matrix" and entry["experiment"] == experiment and entry["name"].endswith(f"-{length}")
    ]
    pictures = [Image.open(results / "figures" / f"{name}.png").convert("RGB") for name in names]
    scaled = [
        one.resize((MATRIX_PIXELS, round(one.height * MATRIX_PIXELS / one.width)), Image.LANCZOS) for one in pictures
    ]
    sheet = Image.new("RGB", (MATRIX_PIXELS * len(scaled), max(one.height for one in scaled)), "white")
    for number, one in enumerate(scaled):
        sheet.paste(one, (number * MATRIX_PIXELS, 0))
    sheet.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def _panel(axes, summary, experiments, encoders):
    for style, (experiment, told) in zip(LINES, experiments.items(), strict=False):
        for encoder in encoders:
            own = [
                row
                for row in summary
                if row["experiment"] in (experiment, experiment + OF_ONE) and row["encoder"] == encoder
            ]
            own.sort(key=lambda row: row["snippet_s"] or SYLLABLE_S)
            place = np.log2([row["snippet_s"] or SYLLABLE_S for row in own])
            score, low, high = (
                np.array([np.nan if row[name] is None else row[name] for row in own])
                for name in ("score", "low", "high")
            )
            colour, marker = SERIES[encoders.index(encoder)], MARKERS[encoders.index(encoder)]
            axes.fill_between(place, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(place, score, color=colour, linestyle=style, linewidth=1.1, marker=marker, markersize=3)
        axes.plot([], [], color=INK, linestyle=style, linewidth=1.1, label=told)
    lengths = sorted({row["snippet_s"] or SYLLABLE_S for row in summary})
    axes.set_xticks(np.log2(lengths), ["syllable" if s == SYLLABLE_S else f"{s:g}" for s in lengths])
    axes.set(xlabel="snippet length (s)", ylabel="ABX score", ylim=(0.4, 1.02))
    axes.axhline(0.5, color=QUIET, linewidth=0.6, dashes=(4, 3))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=3, frameon=False, fontsize=SMALL, handlelength=2.4)
