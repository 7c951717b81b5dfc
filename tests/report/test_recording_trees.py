import json

import dendropy
import pyarrow as pa
import pyarrow.parquet as pq
from sample_results import make_results

from abxfast.report import write_trees
from abxfast.report.recording_trees import make_trees
from abxfast.results import read_results, score_matrix

NAMES = ["tales/a ŋɑ˧.wav", "tales/it's 姐妹.wav", "tales/c_1.wav", "tales/d.wav"]


def test_every_matrix_of_a_default_variant_gets_readable_files(tmp_path):
    folder = make_results(tmp_path, NAMES)
    paths = write_trees(folder)
    entries = json.loads((folder / "trees" / "trees.json").read_text(encoding="utf-8"))
    assert [entry["view"][3] for entry in entries] == [1.0, 10.0]
    assert {path.name for path in paths[:-1]} == {name for entry in entries for name in entry["files"]}
    for path in paths[:-1]:
        schema = {".nex": "nexus", ".nwk": "newick"}[path.suffix]
        for tree in dendropy.TreeList.get(path=path, schema=schema):
            assert {leaf.taxon.label for leaf in tree.leaf_nodes()} == set(NAMES)


def test_files_of_an_earlier_run_are_removed_and_nothing_else(tmp_path):
    write_trees(make_results(tmp_path, NAMES))
    (tmp_path / "trees" / "mine.nwk").write_text("mine")
    written = write_trees(make_results(tmp_path, NAMES, lengths=(1.0,)))
    assert {path.name for path in (tmp_path / "trees").iterdir()} == {path.name for path in written} | {"mine.nwk"}


def test_two_recordings_get_no_tree(tmp_path):
    assert write_trees(make_results(tmp_path, NAMES[:2])) == []


def test_pairs_that_cannot_be_judged_are_counted_and_included(tmp_path):
    results = read_results(make_results(tmp_path, NAMES, lengths=(1.0,), variants=("a",)))
    ((key, pairs),) = results.groups("pairs").items()
    verdict = ["undecidable", "different", *["no_evidence"] * 4]
    pairs = pairs.set_column(pairs.column_names.index("verdict"), "verdict", pa.array(verdict))
    made = make_trees(score_matrix(key, pairs, None))
    scores = pq.read_table(tmp_path / "tables" / "pairs.parquet")["score"].to_pylist()
    assert made.distance[0, 1] == max(0.0, scores[0] - 0.5)
    assert "1 of 6 pairs cannot be judged and is included" in made.describe()
