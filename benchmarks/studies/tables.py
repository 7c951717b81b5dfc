"""The tables and figures of ``benchmarks/studies/experiments.py``, for RESULTS.md and the documentation."""

from __future__ import annotations

import json

import numpy as np

from abxfast.figures import Sheet, settings
from abxfast.figures.style import INK, MARKERS, QUIET, SERIES, SMALL

ENCODER_LABELS = {"full.int8": "seeded weights"}
"""How encoders are shown, unless by their own name."""
LENGTHS = {1.0: "1 s", 5.0: "5 s", 10.0: "10 s", 20.0: "20 s", None: "one syllable"}
VERDICTS = {"no_evidence": "no evidence", "undecidable": "cannot be judged"}
"""How verdicts are shown, unless as they are."""
SYLLABLE_S = 0.35
"""Position of single syllables on the axis of lengths: about their median duration."""
MAX_PAIRS = 3
"""Experiments with more pairs are shown by their mean only."""
LINES = ("-", (0, (1, 1.4)), (0, (4, 2)))
PANELS = {
    "conditions": ("Recording conditions", {"condition": "channel", "control": "control: texts"}),
    "voice": ("Voice and genre", {"genre": "spoken or sung", "control": "control: texts"}),
    "segments": ("Segments", {"initial": "initial of the syllable", "ending": "its ending", "voice": "speaker"}),
    "languages": ("Languages", {"language": "language", "control": "control: letters, syllables"}),
}
"""By study: title of its panel, and labels of the experiments to draw."""
SINGLE_SUFFIX = "-of-one"
"""Experiments on single syllables are named after the experiment on recordings, with this suffix."""
MATRIX_PIXELS = 1000
"""Width of each matrix."""
_WIDTH_MM, _PANEL_WIDTH_MM, _PANEL_HEIGHT_MM, _PANEL_GAP_MM = 175.0, 74.0, 44.0, 22.0


def read_table(results, name):
    """Read a table of a results folder, as a list of rows."""
    return json.loads((results / "tables" / f"{name}.json").read_text(encoding="utf-8"))


def encoder_label(encoder):
    """Return how an encoder is shown."""
    return ENCODER_LABELS.get(encoder, encoder)


def to_markdown(results):
    """Return the results of a study as Markdown: scores by length, classification, sentences on lengths."""
    scores = _collect_scores(results)
    experiments = list(dict.fromkeys(experiment for experiment, _, _ in scores))
    lengths = [length for length in LENGTHS if any(length in rows for rows in scores.values())]
    lines = [
        f"| experiment | pair | encoder | {' | '.join(LENGTHS[length] for length in lengths)} |",
        f"|---|---|---|{'---|' * len(lengths)}",
    ]
    for experiment, pair, encoder in sorted(scores, key=lambda key: experiments.index(key[0])):
        cells = [_format_score(scores[experiment, pair, encoder].get(length)) for length in lengths]
        lines.append(f"| {experiment} | {pair} | {encoder_label(encoder)} | {' | '.join(cells)} |")
    lines += ["", *_format_classification(results)]
    sentences = [row for row in read_table(results, "sentences") if row["kind"] == "length"]
    lines += [f"- {row['experiment']}, {encoder_label(row['encoder'])}: {row['text']}" for row in sentences]
    return "\n".join(lines)


def _collect_scores(results):
    """Return rows by (experiment, pair, encoder) and by length: means of all pairs, then pairs where there are few."""
    scores = {}

    def add(row, pair):
        key = (row["experiment"].removesuffix(SINGLE_SUFFIX), pair, row["encoder"])
        scores.setdefault(key, {})[row["snippet_s"]] = row

    for row in read_table(results, "summary"):
        add(row, "all")
    rows = read_table(results, "pairs")
    for experiment in dict.fromkeys(row["experiment"] for row in rows):
        of_experiment = [row for row in rows if row["experiment"] == experiment]
        if 1 < len({(row["a"], row["b"]) for row in of_experiment}) <= MAX_PAIRS:
            for row in of_experiment:
                add(row, ", ".join(sorted((row["a"], row["b"]))))
    return scores


def _format_score(row):
    """Return a score with its interval and p, as far as they exist, and the verdict."""
    if row is None or row["score"] is None:
        return ""
    interval = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    p = "" if row["p"] is None else "; p < 0.001" if row["p"] < 0.001 else f"; p = {row['p']:.2g}"  # noqa: PLR2004
    return f"{row['score']:.2f}{interval}{p}; {VERDICTS.get(row['verdict'], row['verdict'])}"


def _format_classification(results):
    """Return a line per label and encoder: how many recordings were assigned their own value, by length."""
    counts = {}
    for row in read_table(results, "accuracy"):
        if row["n"]:
            count = f"{round(row['accuracy'] * row['n'])} of {row['n']} at {LENGTHS[row['snippet_s']]}"
            counts.setdefault((row["classify"], row["encoder"]), []).append(count)
    lines = [
        f"- recordings assigned their own {column} by {encoder_label(encoder)}: {', '.join(by_length)}"
        for (column, encoder), by_length in counts.items()
    ]
    return [*lines, ""] if lines else []


def draw(folder, path):
    """Draw the scores of all studies over snippet length: one panel per study, one colour per encoder."""
    studies = [name for name in PANELS if (folder / name / "results" / "tables" / "summary.json").exists()]
    n_rows = -(-len(studies) // 2)
    with settings(["DejaVu Sans"]):
        sheet = Sheet(_WIDTH_MM, 8 + n_rows * (_PANEL_HEIGHT_MM + _PANEL_GAP_MM))
        encoders = []
        for number, name in enumerate(studies):
            left = 12 + (number % 2) * (_PANEL_WIDTH_MM + 14)
            top = 12 + (number // 2) * (_PANEL_HEIGHT_MM + _PANEL_GAP_MM)
            title, experiments = PANELS[name]
            axes = sheet.axes(left, top, _PANEL_WIDTH_MM, _PANEL_HEIGHT_MM)
            sheet.text(left, top - 4.5, title, weight="bold")
            summary = read_table(folder / name / "results", "summary")
            encoders = list(dict.fromkeys([*encoders, *(row["encoder"] for row in summary)]))
            _draw_panel(axes, summary, experiments, encoders)
        left = 12.0
        for number, encoder in enumerate(encoders):
            text = sheet.text(left + 3, 1, encoder_label(encoder), color=SERIES[number], weight="bold")
            sheet.text(left, 1, "■", color=SERIES[number])
            left += 8 + 1.7 * len(text.get_text())
        sheet.text(left, 1, "bands: 95% intervals, where available; dashed grey: chance", color=QUIET)
        sheet.figure.savefig(path, dpi=180, metadata={"Software": None})


def _draw_panel(axes, summary, experiments, encoders):
    """Draw one line per experiment and encoder; single syllables are the leftmost point."""
    for style, (experiment, label) in zip(LINES, experiments.items(), strict=False):
        names = (experiment, experiment + SINGLE_SUFFIX)
        for number, encoder in enumerate(encoders):
            colour, marker = SERIES[number], MARKERS[number]
            rows = [row for row in summary if row["experiment"] in names and row["encoder"] == encoder]
            rows.sort(key=_length_s)
            x = np.log2([_length_s(row) for row in rows])
            score, low, high = (
                np.array([np.nan if row[name] is None else row[name] for row in rows])
                for name in ("score", "low", "high")
            )
            axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(x, score, color=colour, linestyle=style, linewidth=1.1, marker=marker, markersize=3)
        axes.plot([], [], color=INK, linestyle=style, linewidth=1.1, label=label)
    lengths = sorted({_length_s(row) for row in summary})
    axes.set_xticks(np.log2(lengths), ["syllable" if s == SYLLABLE_S else f"{s:g}" for s in lengths])
    axes.set(xlabel="snippet length (s)", ylabel="ABX score", ylim=(0.4, 1.02))
    axes.axhline(0.5, color=QUIET, linewidth=0.6, dashes=(4, 3))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=3, frameon=False, fontsize=SMALL, handlelength=2.4)


def _length_s(row):
    return row["snippet_s"] or SYLLABLE_S


def draw_matrices(results, path, experiment="recordings", length="10s"):
    """Join the matrices of all encoders, as drawn by ``abxfast run``, side by side into one small PNG."""
    from PIL import Image

    entries = json.loads((results / "figures" / "figures.json").read_text(encoding="utf-8"))
    names = [
        entry["name"]
        for entry in entries
        if entry["kind"] == "matrix" and entry["experiment"] == experiment and entry["name"].endswith(f"-{length}")
    ]
    images = [Image.open(results / "figures" / f"{name}.png").convert("RGB") for name in names]
    scaled = [
        image.resize((MATRIX_PIXELS, round(image.height * MATRIX_PIXELS / image.width)), Image.LANCZOS)
        for image in images
    ]
    joined = Image.new("RGB", (MATRIX_PIXELS * len(scaled), max(image.height for image in scaled)), "white")
    for number, image in enumerate(scaled):
        joined.paste(image, (number * MATRIX_PIXELS, 0))
    joined.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
