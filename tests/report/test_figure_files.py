import json
import logging
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_results import make_results

from abxfast.errors import StudyError
from abxfast.figures import fonts
from abxfast.report import draw_figures
from abxfast.results.read import FORMAT

NAMES = ["tales/a ŋɑ˧.wav", "tales/b 姐妹.wav", "tales/$c_1^2$.wav", "tales/d.wav"]
POINTS_PER_MM = 72 / 25.4


def read_index(results):
    return json.loads((results / "figures" / "figures.json").read_text(encoding="utf-8"))


def test_writes_every_kind_as_png_and_svg(tmp_path):
    results = make_results(tmp_path, NAMES)
    written = draw_figures(results)
    assert {path.suffix for path in written} == {".png", ".svg", ".json"}
    entries = read_index(results)
    kinds = [entry["kind"] for entry in entries]
    assert {kind: kinds.count(kind) for kind in kinds} == {"curve": 1, "layers": 1, "matrix": 2, "map": 2, "tree": 2}
    assert {name for entry in entries for name in entry["files"]} == {path.name for path in written[:-1]}
    assert all(path.is_file() for path in written)


def test_the_same_tables_give_the_same_bytes(tmp_path):
    first, second = (draw_figures(make_results(tmp_path / name, NAMES)) for name in ("first", "second"))
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    assert not any(b"<dc:date>" in path.read_bytes() for path in first)


@pytest.mark.parametrize(("count", "width_mm"), [(3, 85), (10, 85), (11, 175), (100, 175)])
def test_a_matrix_is_as_wide_as_a_column_or_a_page_and_no_taller_than_a_page(tmp_path, count, width_mm):
    names = [f"{number:03d} 山歌 ŋɑ˧" for number in range(count)]
    draw_figures(make_results(tmp_path, names, lengths=(1.0,), variants=("a.max",)))
    svg = next((tmp_path / "figures").glob("matrix*.svg")).read_text(encoding="utf-8")
    width, height = (float(size) for size in re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups())
    assert width == pytest.approx(width_mm * POINTS_PER_MM, abs=0.1)
    assert height <= 235.5 * POINTS_PER_MM


def test_figures_of_an_earlier_run_are_removed_and_nothing_else(tmp_path):
    draw_figures(make_results(tmp_path, NAMES, lengths=(1.0, 10.0)))
    foreign = tmp_path / "figures" / "foreign.png"
    foreign.write_bytes(b"foreign")
    written = draw_figures(make_results(tmp_path, NAMES, lengths=(1.0,)))
    expected = {path.name for path in written} | {foreign.name}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == expected


def test_names_that_differ_only_in_what_file_names_cannot_hold_get_files_of_their_own(tmp_path):
    results = make_results(tmp_path, NAMES, lengths=(1.0,), encoders=("a/b", "a:b", "A?b"))
    draw_figures(results)
    stems = [entry["name"].casefold() for entry in read_index(results)]
    assert len(set(stems)) == len(stems)
    assert all(re.fullmatch(r"[\w.-]+", stem) for stem in stems)


def test_two_recordings_get_a_matrix_and_no_map(tmp_path):
    results = make_results(tmp_path, NAMES[:2], lengths=(1.0,), variants=("a",))
    assert [path.name.partition("-")[0] for path in draw_figures(results)[:-1]] == ["matrix", "matrix"]


def test_no_map_is_drawn_if_most_pairs_have_no_score(tmp_path):
    results = make_results(tmp_path, [f"{number}" for number in range(6)], lengths=(1.0,), variants=("a",))
    pairs = pq.read_table(results / "tables" / "pairs.parquet")
    names = zip(pairs["a"].to_pylist(), pairs["b"].to_pylist(), strict=True)
    of_one_kind = [int(a) // 2 == int(b) // 2 for a, b in names]
    pq.write_table(pairs.filter(pa.array(of_one_kind)), results / "tables" / "pairs.parquet")
    assert [path.name.partition("-")[0] for path in draw_figures(results)[:-1]] == ["matrix", "matrix"]


def test_captions_describe_what_is_drawn(tmp_path):
    results = make_results(tmp_path, [f"{number:02d}" for number in range(41)], lengths=(1.0, 10.0), variants=("a",))
    draw_figures(results)
    captions = {entry["kind"]: entry["caption"] for entry in read_index(results)}
    assert captions["curve"].startswith("Mean ABX score by snippet length (experiment recording-conditions).")
    assert "Row: the recording of A and X" in captions["matrix"]
    assert "Diagonal: self-baseline" in captions["matrix"]
    assert "Bold" not in captions["matrix"]  # 41 rows: too many to write scores
    assert "Numbers are those of the rows of the matrix." in captions["map"]


def test_a_folder_without_readable_results_is_refused_in_one_line(tmp_path):
    with pytest.raises(StudyError, match=r"no run\.json; expected a results folder") as caught:
        draw_figures(tmp_path)
    assert "\n" not in str(caught.value)
    results = make_results(tmp_path, NAMES)
    (results / "tables" / "pairs.parquet").write_bytes(b"PAR1")
    with pytest.raises(StudyError, match="cannot be read"):
        draw_figures(results)
    (results / "run.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(StudyError, match=f"found format 99, expected {FORMAT}"):
        draw_figures(results)


def test_characters_without_a_font_cause_one_warning_for_all_figures(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(fonts, "_candidates", list)
    with caplog.at_level(logging.WARNING):
        draw_figures(make_results(tmp_path, NAMES))
    (message,) = [record.getMessage() for record in caplog.records if record.name == "abxfast.figures.fonts"]
    assert "姐 (U+59D0)" in message
    assert "\n" not in message
