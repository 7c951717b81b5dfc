"""The examples in the docstrings of public names, run as they stand."""

import doctest

import pytest

import abxfast
from abxfast.synthetic_speech import write_corpus

STUDY = """\
[study]
title = "Examples"
manifest = "recordings.csv"
snippets = [1]
permutations = 999

[experiment.rooms]
on = "recording"
where = { experiment = "room" }
"""
NAMES = [name for name in abxfast.__all__ if not name.startswith("_")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with recordings, their manifest, a store and a study with results."""
    folder = tmp_path_factory.mktemp("examples")
    write_corpus(folder, seconds=60.0)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    abxfast.embed(folder / "recordings.csv", folder / "demo.store", snippets=[1])
    abxfast.run_study(folder / "study.toml", folder / "results", report=False)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example_that_runs(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    value = getattr(abxfast, name)
    examples = [test for test in doctest.DocTestFinder().find(value, name, globs={}) if test.examples]
    assert examples, f"help(abxfast.{name}) has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in examples:
        report = []
        runner.run(example, out=report.append)
        assert runner.failures == 0, "".join(report)
