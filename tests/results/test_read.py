"""Results folders read back: content, errors, and the notebook surface."""

import json
import re

import pyarrow.parquet as pq
import pytest

from abxfast.errors import StudyError
from abxfast.results import FORMAT, ResultKey, read_results, write_tables

EXPERIMENTS = ("rooms", "<voices>")
LENGTHS = (None, 1.0)
VARIANTS = ("v.max", "v.mean")
SCORES = [0.61, 0.62, 0.63, 0.64, 0.65, 0.66, 0.67, 0.68]


def make_folder(folder):
    """Write results of two experiments, two lengths and two variants; scores name the analysis they belong to."""
    rows = {"summary": [], "pairs": [], "self_baselines": [], "cells": []}
    number = 0
    for experiment in EXPERIMENTS:
        for variant in VARIANTS:
            for length in LENGTHS:
                number += 1
                key = {"experiment": experiment, "encoder": "mfcc", "variant": variant, "snippet_s": length}
                score = SCORES[number - 1]
                interval = {"score": score, "low": score - 0.01, "high": score + 0.01, "verdict": "different"}
                rows["summary"].append(key | interval | {"cells": 2, "note": "a & b"})
                pair = {"on": "recording", "a": "x/a.wav", "b": "x/b.wav"}
                rows["pairs"].append(key | pair | interval | {"score_ab": score, "score_ba": 1 - score})
                rows["cells"].append(key | pair | {"wins2": number})
                for label, low in (("x/a.wav", 0.4), ("x/b.wav", None)):
                    rows["self_baselines"].append(
                        key | {"label": label, "alternating_split": 0.49, "alternating_split_low": low}
                    )
    write_tables(folder / "tables", rows, {})
    run = {
        "format": FORMAT,
        "title": "A <title>",
        "encoders": [{"name": "mfcc", "default_variant": "v.mean"}],
        "experiments": [{"name": name, "on": "recording"} for name in EXPERIMENTS],
    }
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path)


def test_tables_come_back_as_written(folder):
    results = read_results(str(folder))
    assert results.folder == folder
    assert results.run["title"] == "A <title>"
    assert results.tables["pairs"].equals(pq.read_table(folder / "tables" / "pairs.parquet"))
    assert "cells" not in results.tables


def test_groups_are_the_analyses_in_order(folder):
    groups = read_results(folder).groups("summary")
    keys = [ResultKey(name, "mfcc", variant, s) for name in EXPERIMENTS for variant in VARIANTS for s in LENGTHS]
    assert list(groups) == keys
    assert [rows["score"].to_pylist() for rows in groups.values()] == [[score] for score in SCORES]
    assert [key.length for key in keys[:2]] == ["whole items", "1 s"]


def test_the_default_variant_is_the_encoders(folder):
    results = read_results(folder)
    assert results.default_variant("rooms", "mfcc") == "v.mean"
    assert {key.variant for key in results.shown("pairs")} == {"v.mean"}
    results.run["encoders"][0]["default_variant"] = "not scored"
    assert results.default_variant("rooms", "mfcc") == "v.max"
    assert results.experiment("rooms") == {"name": "rooms", "on": "recording"}
    assert results.experiment("unknown") == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no run.json; expected a results folder of `abxfast.run_study`"),
        ("{", "not JSON"),
        ("[]", f"found format list, expected {FORMAT}"),
        ('{"format": 1}', "found format 1, expected 4; run `abxfast.run_study` again"),
    ],
)
def test_other_folders_are_refused_in_one_line(content, message, folder):
    (folder / "run.json").unlink()
    if content is not None:
        (folder / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(StudyError, match=re.escape(message)) as error:
        read_results(folder)
    assert "\n" not in str(error.value)


def test_a_missing_or_damaged_table_is_named(folder):
    path = folder / "tables" / "confounds.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(StudyError, match=r"confounds\.parquet: cannot be read; delete it and run `abxfast\.run_study`"):
        read_results(folder)
    path.unlink()
    with pytest.raises(StudyError, match=r"confounds\.parquet: missing; run `abxfast\.run_study` again"):
        read_results(folder)


def test_a_notebook_shows_title_experiments_and_summary(folder):
    results = read_results(folder)
    page = results._repr_html_()
    assert "A &lt;title&gt;: rooms, &lt;voices&gt;" in page
    assert "<voices>" not in page
    assert page.count("<tr>") == 1 + 8
    assert ">0.610</td>" in page
    assert ">a &amp; b</td>" in page
    assert repr(results) == f"Results({str(folder)!r}, title='A <title>', experiments={list(EXPERIMENTS)})"


def test_any_table_is_a_data_frame(folder):
    pytest.importorskip("pandas", reason="needs pandas")
    results = read_results(folder)
    assert results.to_pandas()["score"].tolist() == SCORES
    assert results.to_pandas("cells")["wins2"].tolist() == list(range(1, 9))
    with pytest.raises(
        StudyError, match="`name`: found 'scores', expected one of summary, best_variants, pairs, cells"
    ):
        results.to_pandas("scores")


@pytest.mark.parametrize(
    ("options", "title", "score"),
    [
        ({}, "rooms · mfcc · v.mean · whole items", 0.63),
        ({"snippet": 1}, "rooms · mfcc · v.mean · 1 s", 0.64),
        ({"variant": "v.max", "snippet": "whole"}, "rooms · mfcc · v.max · whole items", 0.61),
        ({"experiment": "<voices>", "encoder": "mfcc", "snippet": 1.0}, "<voices> · mfcc · v.mean · 1 s", 0.68),
    ],
)
def test_the_plot_is_the_matrix_of_one_analysis(options, title, score, folder):
    pytest.importorskip("matplotlib", reason="needs the report extra")
    figure = read_results(folder).plot(**options)
    texts = [text.get_text() for text in figure.texts]
    assert title in texts
    assert {"a", "b"} <= set(texts)  # what the names share is left out
    values = {text.get_text(): text.get_weight() for axes in figure.axes for text in axes.texts}
    # Both directions, and the baseline of the one recording that has an interval.
    assert values == {f"{score:.2f}"[1:]: "bold", f"{1 - score:.2f}"[1:]: "bold", ".49": "normal"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"experiment": "x"}, "`experiment`: found 'x', expected one of rooms, <voices>"),
        ({"encoder": "x"}, "`encoder`: found 'x', expected one of mfcc"),
        ({"variant": "x"}, "`variant`: found 'x', expected one of v.max, v.mean"),
        ({"snippet": 5}, "`snippet`: found 5, expected one of whole, 1"),
    ],
)
def test_an_unknown_analysis_is_refused(options, message, folder):
    with pytest.raises(StudyError, match=re.escape(message)):
        read_results(folder).plot(**options)
