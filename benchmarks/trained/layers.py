"""Score the paper's designs with every layer and pooling of a trained encoder, with and without standardised channels.

    abxfast export FOLDER/whisper-base -o whisper-base.int8.onnx --layers 0-6 --pooling max,mean,std
    python benchmarks/trained/layers.py FOLDER --speech speech --encoder whisper-base.int8.onnx [--snippet 1 …]

Recordings and experiments are those of ``benchmarks/studies``. Scores are exact, without tests or intervals: for these,
run ``benchmarks/studies/experiments.py`` with the same encoder. A stopped run can be continued. Prints a table for each
snippet length, and writes FOLDER/layers.csv.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from abxfast import embed, score_store
from abxfast.store import open_store
from abxfast.study.config import read_study

STUDIES = Path(__file__).resolve().parents[1] / "studies"
LENGTHS = ("1", "10")
WHOLE = "whole"
METHODS = (None, "center", "zscore")
POOLINGS = ("max", "mean", "std")


def make_store(name: str, folder: Path, arguments: argparse.Namespace) -> Path:
    """Make the recordings of a study if they are missing, and embed them; return the store."""
    sys.path.insert(0, str(STUDIES))
    from recordings import DESIGNS

    study_folder = folder / name
    study_folder.mkdir(parents=True, exist_ok=True)
    manifest = study_folder / "recordings.csv"
    if not manifest.exists():
        DESIGNS[name](arguments.speech, study_folder)
    store = study_folder / f"{arguments.encoder.stem}.store"
    lengths = [float(length) for length in arguments.snippet]
    if name != "segments":
        embed(manifest, store, encoder=arguments.encoder, snippets=lengths)
        return store
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for kind, snippets in ((True, [WHOLE]), (False, lengths)):
        part = study_folder / f"{'syllables' if kind else 'lists'}.csv"
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(row for row in rows if (row["kind"] == "syllable") == kind)
        embed(part, store, encoder=arguments.encoder, snippets=snippets)
    return store


def score_study(name: str, store: Path, lengths: list[str]) -> list[dict[str, object]]:
    """Score every experiment of a study but the matrix of all recordings; return a row for each score."""
    study = read_study(store.parent / "study.toml")
    stored, rows = open_store(store), []
    for experiment in study.experiments:
        if experiment.name == "recordings":
            continue
        manifest = _select(store.parent, experiment)
        for length in experiment.snippets:
            snippet = WHOLE if length is None else f"{length:g}"
            if snippet not in (*lengths, WHOLE):
                continue
            for variant in stored.variants:
                for method in METHODS:
                    task = experiment.task
                    table = score_store(
                        store,
                        snippet=snippet,
                        variant=variant,
                        manifest=manifest,
                        on=task.on,
                        by=task.by,
                        across=task.across,
                        different=experiment.different,
                        standardise=method,
                    ).table
                    score = float(np.nanmean(table["score"].to_numpy(zero_copy_only=False)))
                    layer, _, pooling = variant.partition(".")
                    row = {"study": name, "experiment": experiment.name, "snippet": snippet, "layer": layer}
                    rows.append(row | {"pooling": pooling, "standardise": method or "none", "score": score})
    return rows


def _select(folder: Path, experiment) -> Path:
    """Write the rows of the manifest that take part in an experiment."""
    with (folder / "recordings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    path = folder / f"{experiment.name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        labels = [label for label in experiment.task.labels if label in rows[0]]
        writer.writerows(
            row
            for row in rows
            if all(row[column] in values for column, values in experiment.where) and all(row[label] for label in labels)
        )
    return path


def print_tables(rows: list[dict[str, object]]) -> None:
    """Print a table for each snippet length: a row for each experiment, pooling and standardisation."""
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    for snippet in dict.fromkeys(row["snippet"] for row in rows):
        print(f"\n### {snippet if snippet == WHOLE else f'{snippet} s'}\n")
        print(f"| study | experiment | pooling | standardised | {' | '.join(layers)} |\n|{'---|' * (len(layers) + 4)}")
        cells: dict[tuple[object, ...], dict[object, object]] = {}
        for row in rows:
            if row["snippet"] == snippet:
                key = tuple(row[name] for name in ("study", "experiment", "pooling", "standardise"))
                cells.setdefault(key, {})[row["layer"]] = row["score"]
        for key, scores in cells.items():
            print(f"| {' | '.join(map(str, key))} | {' | '.join(f'{scores[layer]:.2f}' for layer in layers)} |")


def main() -> None:
    """Parse the command line, embed, score, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speech", type=Path, required=True, help="folder with the unpacked packages")
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--snippet", action="append", help="length in seconds; by default 1 and 10")
    studies = sorted(path.stem for path in STUDIES.glob("*.toml"))
    parser.add_argument("--only", action="append", choices=studies, help="a study; by default all")
    arguments = parser.parse_args()
    arguments.snippet = arguments.snippet or list(LENGTHS)
    rows = []
    for name in arguments.only or studies:
        store = make_store(name, arguments.folder, arguments)
        text = (STUDIES / f"{name}.toml").read_text(encoding="utf-8")
        (store.parent / "study.toml").write_text(text, encoding="utf-8")
        rows += score_study(name, store, arguments.snippet)
    with (arguments.folder / "layers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print_tables(rows)


if __name__ == "__main__":
    main()
