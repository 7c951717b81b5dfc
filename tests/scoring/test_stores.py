"""Scores of a store: vectors, metadata, and what a store lacks."""

import re

import numpy as np
import pytest

import abxfast
from abxfast.errors import StoreError, TaskError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    from abxfast.synthetic_speech import write_corpus

    folder = tmp_path_factory.mktemp("scoring")
    manifest = write_corpus(folder, seconds=6.0)
    abxfast.embed(manifest, folder / "s.store", snippets=[1, 2])
    return folder / "s.store"


def test_a_store_is_scored_as_its_vectors_are(store):
    from abxfast.store import open_store

    snippets = open_store(store).read(1.0, "mfcc.mean")
    scores = abxfast.score_store(store, snippet=1, variant="mfcc.mean")
    assert (scores.encoder, scores.variant, scores.snippet) == ("mfcc", "mfcc.mean", "1")
    plain = abxfast.score_embeddings(snippets.embeddings, {"recording": snippets.recordings}, on="recording")
    assert scores.table.equals(plain.table)
    mapped = abxfast.score_store(store, snippet=1, variant="mfcc.mean", memory_mb=0.001)
    assert isinstance(open_store(store).read(1.0, "mfcc.mean", memory_mb=0.001).embeddings, np.memmap)
    assert mapped.table.equals(scores.table)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, StoreError, "several snippet lengths; choose one in `snippet`: 1, 2"),
        ({"snippet": 7}, StoreError, "no snippets of 7 s, there are: 1, 2; run `abxfast.embed` for them"),
        ({"snippet": "long"}, TaskError, "`snippet`: found 'long', expected seconds above 0, or 'whole'"),
        (
            {"snippet": 1, "variant": "layer99.max"},
            StoreError,
            "no variant 'layer99.max'; there are: mfcc.max, mfcc.mean",
        ),
    ],
)
def test_what_a_store_lacks_is_an_error(store, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        abxfast.score_store(store, **options)


def test_a_manifest_replaces_the_metadata(store, tmp_path, caplog):
    recording = next(iter((store.parent / "recordings").iterdir()))
    path = tmp_path / "other.csv"
    path.write_text(f"path,kind\n{recording.as_posix()},\nnowhere.wav,b\n", encoding="utf-8")
    with pytest.raises(TaskError, match=r"no value in column 'kind'; fill it in, or leave the row out of `manifest`"):
        abxfast.score_store(store, snippet=2, on="kind", manifest=path)
    assert "1 of its rows are not in" in caplog.text
    path.write_text("path,kind\nnowhere.wav,b\n", encoding="utf-8")
    with pytest.raises(StoreError, match=r"none of its 1 rows is in .*; run `abxfast.embed` with this manifest"):
        abxfast.score_store(store, snippet=2, on="kind", manifest=path)


def test_metadata_are_labels(store):
    scores = abxfast.score_store(store, snippet=2, on="condition", by=["experiment"])
    assert set(scores.table["experiment"].to_pylist()) == {"room", "voice", "vowels"}
    with pytest.raises(TaskError, match="no column 'speaker'; there are: recording, item, start_s, end_s"):
        abxfast.score_store(store, snippet=2, on="speaker")


def test_a_column_may_have_any_name(store, tmp_path):
    names = [path.stem for path in sorted((store.parent / "recordings").iterdir())]
    rows = [f"{store.parent.as_posix()}/recordings/{name}.wav,{name[0]}" for name in names]
    (tmp_path / "names.csv").write_text("\n".join(["path,origin", *rows]), encoding="utf-8")
    scores = abxfast.score_store(store, snippet=2, on="origin", manifest=tmp_path / "names.csv")
    assert set(scores.table["origin"].to_pylist()) == {"r", "v"}
