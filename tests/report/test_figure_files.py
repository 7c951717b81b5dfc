import itertools
import json
import logging
import re
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_results import make_results

from abxfast.errors import MissingPackageError, StudyError
from abxfast.figures import (
    DIVERGING,
    DIVERGING_DARK,
    Places,
    cluster_order,
    draw_layers,
    draw_map,
    draw_matrix,
    fonts,
    scale,
    settings,
)
from abxfast.figures.style import fit, width_mm
from abxfast.report import draw_figures
from abxfast.results import read_results, score_matrix, short_names

NAMES = ["tales/a ŋɑ˧.wav", "tales/b 姐妹.wav", "tales/$c_1^2$.wav", "tales/d.wav"]
POINTS_A_MM = 72 / 25.4


def letters(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


class TestDraw:
    def test_writes_every_kind_as_png_and_svg(self, tmp_path):
        results = make_results(tmp_path, NAMES)
        written = draw_figures(results)
        assert {path.suffix for path in written} == {".png", ".svg", ".json"}
        entries = json.loads((results / "figures" / "figures.json").read_text(encoding="utf-8"))
        kinds = [entry["kind"] for entry in entries]
        assert {kind: kinds.count(kind) for kind in kinds} == {"curve": 1, "layers": 1, "matrix": 2, "map": 2}
        assert {name for entry in entries for name in entry["files"]} == {path.name for path in written[:-1]}
        assert all(path.is_file() for path in written)

    def test_the_same_tables_give_the_same_bytes(self, tmp_path):
        drawn = [draw_figures(make_results(tmp_path / name, NAMES)) for name in ("one", "two")]
        assert [path.name for path in drawn[0]] == [path.name for path in drawn[1]]
        for one, two in zip(*drawn, strict=True):
            assert one.read_bytes() == two.read_bytes(), one.name
        assert not any(b"<dc:date>" in path.read_bytes() for path in drawn[0])

    @pytest.mark.parametrize(("count", "width_mm"), [(3, 85), (10, 85), (11, 175), (100, 175)])
    def test_the_matrix_is_as_wide_as_a_column_or_a_page_and_no_taller_than_it(self, tmp_path, count, width_mm):
        names = [f"{number:03d} 山歌 ŋɑ˧" for number in range(count)]
        draw_figures(make_results(tmp_path, names, lengths=(1.0,), variants=("a.max",)))
        svg = next((tmp_path / "figures").glob("matrix*.svg")).read_text(encoding="utf-8")
        width, height = (float(size) for size in re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups())
        assert width == pytest.approx(width_mm * POINTS_A_MM, abs=0.1)
        assert height <= 235.5 * POINTS_A_MM

    def test_what_is_no_longer_drawn_is_removed_and_nothing_else(self, tmp_path):
        draw_figures(make_results(tmp_path, NAMES, lengths=(1.0, 10.0)))
        mine = tmp_path / "figures" / "mine.png"
        mine.write_bytes(b"mine")
        written = draw_figures(make_results(tmp_path, NAMES, lengths=(1.0,)))
        assert {path.name for path in (tmp_path / "figures").iterdir()} == {path.name for path in written} | {
            "mine.png"
        }

    def test_names_that_differ_only_in_what_a_file_name_cannot_hold_are_two_files(self, tmp_path):
        draw_figures(make_results(tmp_path, NAMES, lengths=(1.0,), encoders=("a/b", "a:b", "A?b")))
        entries = json.loads((tmp_path / "figures" / "figures.json").read_text(encoding="utf-8"))
        stems = [entry["name"].casefold() for entry in entries]
        assert len(set(stems)) == len(stems)
        assert all(re.fullmatch(r"[\w.-]+", stem) for stem in stems)

    def test_two_recordings_have_a_matrix_and_no_map(self, tmp_path):
        results = make_results(tmp_path, NAMES[:2], lengths=(1.0,), variants=("a",))
        assert [path.name.partition("-")[0] for path in draw_figures(results)[:-1]] == ["matrix", "matrix"]

    def test_a_map_is_not_made_up_where_most_pairs_have_no_score(self, tmp_path):
        results = make_results(tmp_path, [f"{number}" for number in range(6)], lengths=(1.0,), variants=("a",))
        pairs = pq.read_table(results / "tables" / "pairs.parquet")
        names = zip(pairs["a"].to_pylist(), pairs["b"].to_pylist(), strict=True)
        of_one_kind = [int(a) // 2 == int(b) // 2 for a, b in names]
        pq.write_table(pairs.filter(pa.array(of_one_kind)), results / "tables" / "pairs.parquet")
        assert [path.name.partition("-")[0] for path in draw_figures(results)[:-1]] == ["matrix", "matrix"]

    def test_the_diagonal_has_the_floors_that_have_an_interval(self, tmp_path):
        results = read_results(make_results(tmp_path, NAMES, lengths=(1.0,), variants=("a",)))
        ((key, rows),) = results.groups("pairs").items()
        floors = results.groups("self_baselines")[key]
        low = pa.array([None if label == NAMES[1] else 0.4 for label in floors["label"].to_pylist()])
        floors = floors.set_column(floors.column_names.index("alternating_split_low"), "alternating_split_low", low)
        one = score_matrix(key, rows, floors)
        assert np.isnan(np.diag(one.score)).tolist() == [name == NAMES[1] for name in one.names]

    def test_a_folder_that_is_none_is_refused_in_one_line(self, tmp_path):
        with pytest.raises(StudyError, match=r"no run\.json; expected a results folder") as caught:
            draw_figures(tmp_path)
        assert "\n" not in str(caught.value)
        results = make_results(tmp_path, NAMES)
        (results / "tables" / "pairs.parquet").write_bytes(b"PAR1")
        with pytest.raises(StudyError, match="cannot be read"):
            draw_figures(results)
        (results / "run.json").write_text('{"format": 99}', encoding="utf-8")
        with pytest.raises(StudyError, match="found format 99, expected 1"):
            draw_figures(results)

    def test_without_matplotlib_it_says_what_to_install(self, tmp_path, monkeypatch):
        for name in [name for name in sys.modules if name.startswith("abxfast.figures.")]:
            monkeypatch.delitem(sys.modules, name)
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(MissingPackageError, match=r"pip install 'abxfast\[report\]'"):
            draw_figures(make_results(tmp_path, NAMES))


class TestMatrix:
    SCORE = np.array([[np.nan, 0.512, 0.996], [0.43, 0.5, 0.7], [1.0, 0.61, np.nan]])

    def drawn(self, low=0.6, high=0.9):
        low, high = np.full((3, 3), low), np.full((3, 3), high)
        with settings(["DejaVu Sans"]):
            return draw_matrix("t", ["a", "b", "c"], self.SCORE, low, high).figure

    def test_every_score_stands_in_its_cell(self):
        axes = next(axes for axes in self.drawn().axes if axes.texts)
        cells = {tuple(int(part) for part in text.get_position()): text.get_text() for text in axes.texts}
        # (column, row), from the upper left corner.
        assert cells == {
            (1, 0): ".51",
            (2, 0): "1.0",
            (0, 1): ".43",
            (1, 1): ".50",
            (2, 1): ".70",
            (0, 2): "1.0",
            (1, 2): ".61",
        }
        assert axes.get_ylim() == (3, 0)

    @pytest.mark.parametrize(
        ("low", "high", "weight"),
        [(0.6, 0.9, "bold"), (0.1, 0.4, "bold"), (0.4, 0.6, "normal"), (np.nan, np.nan, "normal")],
    )
    def test_a_score_whose_interval_does_not_hold_chance_is_bold(self, low, high, weight):
        figure = self.drawn(low, high)
        weights = {text.get_text(): text.get_weight() for axes in figure.axes for text in axes.texts}
        assert weights == dict.fromkeys((".51", "1.0", ".43", ".70", ".61"), weight) | {".50": "normal"}

    def test_layers_are_in_their_natural_order(self):
        with settings(["DejaVu Sans"]):
            figure = draw_layers(
                "t", {"1 s": {"layer18.max": 0.6, "layer9.max": 0.71, "layer9.mean": float("nan")}}
            ).figure
        assert letters(figure)[:2] == [".71", ".60"]


class TestMap:
    def test_names_of_points_that_lie_together_do_not_cover_each_other(self):
        names = [f"spoken-{number}" for number in range(12)]
        at = np.array([[0.3 * (number % 2) + 0.002 * number, 0.001 * (number % 5)] for number in range(12)])
        with settings(["DejaVu Sans"]):
            figure = draw_map("t", names, Places(at, 0.0), None, "").figure
        renderer = figure.canvas.get_renderer()
        boxes = [text.get_window_extent(renderer) for axes in figure.axes for text in axes.texts]
        assert len(boxes) == 12
        for one, other in itertools.combinations(boxes, 2):
            assert not one.shrunk(0.9, 0.7).overlaps(other.shrunk(0.9, 0.7))


class TestOrder:
    @given(st.integers(2, 12), st.integers(2, 12), st.randoms(use_true_random=False))
    def test_what_cannot_be_told_apart_stands_together(self, first, second, random):
        kinds = [0] * first + [1] * second
        random.shuffle(kinds)
        kind = np.array(kinds)
        score = np.where(kind[:, None] == kind, 0.52, 0.9)
        ordered = kind[cluster_order(score)]
        assert (np.diff(ordered) != 0).sum() == 1
        assert sorted(cluster_order(score)) == list(range(len(kind)))

    @given(st.lists(st.tuples(st.floats(-0.17, 0.17), st.floats(-0.17, 0.17)), min_size=3, max_size=10))
    def test_a_map_of_points_on_a_plane_keeps_their_distances(self, points):
        at = np.array(points)
        apart = np.sqrt(((at[:, None] - at) ** 2).sum(axis=2))
        places = scale(0.5 + apart)
        found = np.sqrt(((places.at[:, None] - places.at) ** 2).sum(axis=2))
        np.testing.assert_allclose(found, apart, atol=2e-3)
        assert places.stress < 0.05

    def test_missing_pairs_do_not_pull(self):
        at = np.array([[0, 0], [0.2, 0], [0.2, 0.1], [0, 0.1], [0.1, 0.25]])
        apart = np.sqrt(((at[:, None] - at) ** 2).sum(axis=2))
        score = 0.5 + apart
        score[0, 2] = score[2, 0] = np.nan
        found = scale(score).at
        assert np.hypot(*(found[0] - found[2])) == pytest.approx(apart[0, 2], abs=0.02)


class TestNames:
    def test_what_all_share_is_left_out(self):
        assert short_names(("a/b/1.wav", "a/b/2.wav")) == ("1", "2")
        assert short_names(("a/1.wav", "a/2.flac")) == ("1.wav", "2.flac")
        assert short_names(("a", "a/b")) == ("a", "a/b")
        assert short_names(("x.wav",)) == ("x.wav",)

    @given(st.lists(st.text(max_size=8), unique=True, max_size=5))
    def test_names_that_differ_stay_different(self, names):
        assert len(set(short_names(tuple(names)))) == len(names)

    def test_a_long_name_keeps_both_ends_and_fits(self):
        with settings(["DejaVu Sans"]):
            short = fit("a-recording-of-a-long-tale-2018-12", 6, 20)
            assert width_mm([short], 6) <= 20
        assert short.startswith("a-rec")
        assert short.endswith("18-12")
        assert "…" in short


class TestFonts:
    def test_letters_that_no_font_has_are_told_once_in_one_line(self, tmp_path, monkeypatch, caplog):
        monkeypatch.setattr(fonts, "_candidates", list)
        with caplog.at_level(logging.WARNING):
            draw_figures(make_results(tmp_path, NAMES))
        told = [record.getMessage() for record in caplog.records if record.name == "abxfast.figures.fonts"]
        assert len(told) == 1
        assert "姐 (U+59D0)" in told[0]
        assert "\n" not in told[0]

    def test_ipa_needs_no_other_font(self, caplog):
        with caplog.at_level(logging.WARNING):
            assert fonts.choose_families(["ŋɑ˧ ʈʂʰɯ˩˥ ʁwɤ tsʰo ɖɯ hĩ ʐæ mv̩ ɬɑ β θ ɣ χ ʔ"]) == (["DejaVu Sans"], set())
        assert caplog.records == []

    def test_what_turns_or_breaks_a_line_is_cleaned(self):
        assert fonts.drawable("a\n\u202eb\x07c\u2028d\ud800", {"b"}) == "a □ c d "


class TestColours:
    @pytest.mark.parametrize("stops", [DIVERGING, DIVERGING_DARK])
    def test_lightness_alone_says_how_far_a_score_is_from_chance(self, stops):
        light = [_lightness(colour) for _, colour in stops]
        middle = [at for at, _ in stops].index(0.5)
        sign = 1 if stops is DIVERGING else -1
        assert all(np.diff(light[: middle + 1]) * sign > 0)
        assert all(np.diff(light[middle:]) * sign < 0)

    @pytest.mark.parametrize("kind", ["protan", "deutan", "tritan"])
    def test_both_sides_of_chance_differ_to_every_eye(self, kind):
        below, above = (_seen(dict(DIVERGING)[at], kind) for at in (0.4, 0.6))
        assert np.abs(below - above).max() > 0.15


def _rgb(colour):
    return np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255


def _lightness(colour):
    part = _rgb(colour)
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def _seen(colour, kind):
    """Simulate colour vision deficiency at full severity (Machado, Oliveira and Fernandes 2009)."""
    matrices = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    }
    part = _rgb(colour)
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(matrices[kind]) @ linear, 0, 1)
