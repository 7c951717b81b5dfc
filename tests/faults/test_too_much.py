"""More than can be counted or held is refused before anything is computed; odd labels and numbers in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from abxfast.audio import make_plans
from abxfast.errors import AbxfastError, TaskError
from abxfast.scoring import Task, make_cells, score_embeddings
from abxfast.scoring import cells as cells_module
from abxfast.scoring import embeddings as embeddings_module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def many(n: int) -> NDArray[np.float32]:
    return np.lib.stride_tricks.as_strided(np.ones(1, np.float32), (n, 1), (0, 0))


@pytest.mark.parametrize("sizes", [(1_670_000, 1_670_000), (1_320_000, 2_700_000), (3_000_000, 3_000_000)])
def test_triplets_that_overflow_are_refused_before_counting(
    sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings_module, "abx_counts", lambda *_, **__: pytest.fail("counted"))
    labels = {"on": np.repeat(np.array(["a", "b"]), sizes)}
    with pytest.raises(TaskError, match=r"triplets cannot be counted in 64 bits.*max_size_group"):
        score_embeddings(many(sum(sizes)), labels, on="on")


def test_cells_that_overflow_together_are_refused() -> None:
    rows, bounds = np.arange(0), np.arange(0, 40 * 500_001, 500_000)
    groups = np.array([(a, b, a) for a in range(39) for b in range(39) if a != b])
    cells = cells_module.TaskCells(None, rows, bounds, groups)
    with pytest.raises(TaskError, match="64 bits"):
        cells_module.check_countable(Task("on"), cells)


def test_what_64_bits_hold_is_counted() -> None:
    bounds = np.array([0, 1_000_000, 2_000_000])
    cells = cells_module.TaskCells(None, np.arange(0), bounds, np.array([(0, 1, 0), (1, 0, 1)]))
    cells_module.check_countable(Task("on"), cells)


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ({"on": range(100_000)}, {}),
        ({"on": range(100_000), "by": [0] * 100_000}, {"by": ("by",)}),
        ({"on": [0, 1] * 50_000, "across": range(100_000)}, {"across": ("across",)}),
        ({"on": np.repeat(range(60), 60), "across": [*range(60)] * 60}, {"across": ("across",)}),
    ],
)
def test_a_list_of_cells_that_does_not_fit_into_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, labels: dict[str, Sequence[int]], options: dict[str, tuple[str, ...]]
) -> None:
    monkeypatch.setattr(cells_module, "memory_bytes", lambda: 1 << 30)
    if "across" in options and len(labels["on"]) == 100_000:
        # No group shares its value of ACROSS: nothing to compare, but also nothing that takes memory.
        with pytest.raises(TaskError):
            make_cells(Task("on", **options), labels)
        return
    with pytest.raises(TaskError, match=r"groups make [\d,]+ cells.* GB; compare fewer"):
        make_cells(Task("on", **options), labels)


@pytest.mark.parametrize("name", ["max_size_group", "max_x_across", "threads"])
@pytest.mark.parametrize("value", [10**20, float("inf"), float("nan"), 0, -1, 1.5])
def test_counts_beyond_any_use_are_refused(name: str, value: float) -> None:
    with pytest.raises(TaskError, match=f"`{name}`"):
        score_embeddings(np.eye(4, dtype=np.float32), {"on": [0, 0, 1, 1]}, on="on", **{name: value})


@pytest.mark.parametrize("value", [1e305, float("inf"), float("nan"), 0, -1])
def test_memory_beyond_any_use_is_refused(value: float) -> None:
    with pytest.raises(TaskError, match="`memory_mb`"):
        score_embeddings(np.eye(4, dtype=np.float32), {"on": [0, 0, 1, 1]}, on="on", memory_mb=value)


@pytest.mark.parametrize(
    "values", [["a\udc80", "b"], [["x"], ["y"]], [{"x": 1}, {"x": 2}], [(1, 2), (3, 4)], [object(), object()], [1, "b"]]
)
def test_labels_that_are_no_texts_or_numbers_are_refused(values: list[object]) -> None:
    with pytest.raises(TaskError) as caught:
        score_embeddings(np.eye(4, dtype=np.float32), {"on": values * 2}, on="on")
    assert "label 'on'" in str(caught.value)
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("length", [1e-300, 1e-4, 5e-324, 1e7, 1e308, 10**400])
def test_lengths_beyond_any_recording_are_refused(length: float) -> None:
    for lengths, hop_s in (([length], None), ([1.0], length)):
        with pytest.raises(AbxfastError):
            make_plans(lengths, hop_s, "drop")


@pytest.mark.parametrize(
    "line", ["max_size_group = 100000000000000000000", "max_x_across = 100000000000000000000", "snippets = [1e-300]"]
)
def test_a_study_with_such_numbers_is_refused_with_its_line(tmp_path, run, line: str) -> None:
    (tmp_path / "audio").mkdir()
    study = tmp_path / "study.toml"
    study.write_text(f'[study]\nrecordings = "audio"\n[experiment.e]\non = "recording"\n{line}\n')
    status, _, err = run("plan", study)
    assert status == 2
    assert f"{study} line 5" in err


@pytest.mark.parametrize("times", ["1e308,", "0,1e308", "1e300,1e305"])
def test_times_beyond_any_recording_are_named(tmp_path, run, times: str) -> None:
    from noise_recordings import write_noise

    write_noise(tmp_path / "a.wav", 2)
    (tmp_path / "t.csv").write_text(f"path,start_s,end_s\na.wav,{times}\n")
    status, _, err = run("embed", tmp_path / "t.csv", "-o", tmp_path / "s.store", "--snippet", "1")
    assert status == 1
    assert "but the recording ends at" in err
