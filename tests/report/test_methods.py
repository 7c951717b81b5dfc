import json
import re

import pytest
from sample_results import make_results

from abxfast.report.methods import write_methods
from abxfast.report.references import REFERENCES
from abxfast.results import read_results

NAMES = ["tales/a ŋɑ˧.wav", "tales/b 姐妹.wav", "tales/c.wav"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("results"), NAMES)


def test_describe_the_study_and_cite_what_it_used(results):
    paragraphs, references = write_methods(read_results(results))
    text = " ".join(paragraphs)
    assert "{" not in text
    assert "10,000 seeded permutations" in text
    assert "snippets of 1 and 10 s" in text
    assert "Fily et al. (2024)" in text
    assert "Davis & Mermelstein 1980" in text
    assert "Conneau" not in text  # mfcc alone was run
    years = {reference.key: reference.cited.rpartition(" ") for reference in references}
    assert all(re.search(rf"{re.escape(names)},? \(?{year}", text) for names, _, year in years.values())
    assert "conneau2021" not in years
    for reference in REFERENCES.values():
        assert reference.bibtex.count("{") == reference.bibtex.count("}")
        assert reference.cited.rpartition(" ")[2] in reference.entry


def test_name_the_model_of_an_exported_encoder(tmp_path):
    folder = make_results(tmp_path, NAMES, encoders=("xlsr53-l21.int8",))
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["encoders"][0]["source"] = "facebook/wav2vec2-large-xlsr-53"
    run["permutations"] = 0
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    paragraphs, references = write_methods(read_results(folder))
    text = " ".join(paragraphs)
    assert "Conneau et al. (2021)" in text
    assert "Baevski et al. 2020" in text
    assert "No permutation test was run" in text
    assert "holm1979" not in {reference.key for reference in references}


def test_name_whisper(tmp_path):
    folder = make_results(tmp_path, NAMES, encoders=("whisper-base-l6.int8",))
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["encoders"][0]["source"] = "openai/whisper-base"
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    paragraphs, references = write_methods(read_results(folder))
    assert "exported from openai/whisper-base, a Whisper model (Radford et al. 2023)" in " ".join(paragraphs)
    assert "radford2023" in {reference.key for reference in references}


def test_state_which_rows_took_part_and_that_some_were_whole(tmp_path):
    folder = make_results(tmp_path, NAMES)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["experiments"][0] |= {"where": {"kind": ["list", "tale"]}, "snippets": [1.0, None]}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    text = " ".join(write_methods(read_results(folder))[0])
    assert "where kind is list or tale; 3 recordings" in text
    assert "snippets of 1 s, or taken whole." in text
