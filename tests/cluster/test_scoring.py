"""Scoring with workers gives the counts of one machine, to the last triplet."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_store import ENCODER, TEN, make_entry, make_manifest, write_entry

from abxfast.cluster import connect, score_on_cluster
from abxfast.cluster.tiles import make_tile, partition_cells
from abxfast.errors import ClusterError, StoreError
from abxfast.kernels import PairConstraint, abx_counts
from abxfast.scoring import Task, make_cells, score_store
from abxfast.store import create_store

TASKS = [
    {},
    {"min_gap_s": 15.0},
    {"on": "tone", "different": ["recording"]},
    {"on": "tone", "max_size_group": 7, "seed": 3},
]


@pytest.fixture
def store(tmp_path):
    store = create_store(tmp_path / "s.store", ENCODER)
    names = [f"r{n}" for n in range(9)]
    store.save_manifest(make_manifest(tmp_path, **{name: "high" if n % 2 else "low" for n, name in enumerate(names)}))
    for n, name in enumerate(names):
        write_entry(store, make_entry(name, TEN), range(n), total=n or None)
    return store


def test_counts_are_those_of_one_machine(store, tmp_path):
    (tmp_path / "some.csv").write_text("path,item,tone\n" + "".join(f"r{n}.wav,r{n},{n % 3}\n" for n in (2, 4, 5, 8)))
    tasks = [*TASKS, {"on": "tone", "manifest": tmp_path / "some.csv", "variant": "v.mean"}]
    with connect("local:2") as client:
        address = client.scheduler.address
        for options in tasks:
            scores = score_on_cluster(store.root, address, **options)
            assert scores.table.equals(score_store(store.root, **options).table)
            assert repr(scores) == repr(score_store(store.root, **options))

        next(iter((store.root / "parts").glob("*"))).write_bytes(b"damaged")
        with pytest.raises(StoreError, match="is damaged"):
            score_on_cluster(store.root, address)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_tiles_have_each_cell_once_and_count_the_same(data):
    n = data.draw(st.integers(8, 40))
    seed, threads, max_rows = (data.draw(st.integers(*bounds)) for bounds in ((0, 99), (1, 9), (1, 50)))
    rng = np.random.default_rng(seed)
    labels = {name: rng.integers(0, size, n) for name, size in (("on", 5), ("by", 2), ("across", 3))}
    labels["on"][:2] = 0, 1
    labels["by"][:4] = labels["across"][:2] = 0
    labels["across"][2:4], labels["on"][2:4] = 1, (0, 1)
    task = data.draw(st.sampled_from([Task("on"), Task("on", ("by",)), Task("on", (), ("across",))]))
    cells = make_cells(task, {name: pa.array(column) for name, column in labels.items()})
    vectors = rng.standard_normal((n, 3)).astype(np.float32)
    start_s = rng.uniform(0, 20, n)
    constraint = data.draw(
        st.sampled_from([None, PairConstraint(labels["across"][None], labels["by"], start_s, start_s + 1, 2.0)])
    )
    expected = abx_counts(vectors, cells.rows, cells.bounds, cells.groups, constraint=constraint)

    tiles = partition_cells(cells, threads, max_rows)
    np.testing.assert_array_equal(np.sort(np.concatenate(tiles)), np.arange(len(cells.groups)))
    for chosen in tiles:
        tile = make_tile(cells, constraint, chosen)
        counts = abx_counts(
            vectors[tile.rows], np.arange(len(tile.rows)), tile.bounds, tile.groups, constraint=tile.constraint
        )
        np.testing.assert_array_equal(counts.wins2, expected.wins2[chosen])
        np.testing.assert_array_equal(counts.triplets, expected.triplets[chosen])


def test_many_groups_are_divided_so_that_a_tile_needs_few():
    n_groups, size = 60, 5
    cells = make_cells(Task("on"), {"on": np.repeat(np.arange(n_groups), size)})
    tiles = [make_tile(cells, None, chosen) for chosen in partition_cells(cells, 2, 10**6)]
    assert len(tiles) >= 8
    assert max(len(tile.rows) for tile in tiles) <= n_groups * size * 0.6
    small = [make_tile(cells, None, chosen) for chosen in partition_cells(cells, 1, 10)]
    assert max(len(tile.rows) for tile in small) <= n_groups * size / 2


def test_another_store_of_the_same_name_is_refused(store, monkeypatch):
    from abxfast.cluster import score_worker

    job = score_worker.ScoreJob(store.root, 10.0, "v.max", "0" * 24, 100)
    with pytest.raises(ClusterError, match="has other snippets than the client found"):
        score_worker._open(job)
    monkeypatch.setattr(score_worker, "__version__", "9.8.7")
    with pytest.raises(ClusterError, match=r"has abxfast 9\.8\.7"):
        score_worker._open(job)
