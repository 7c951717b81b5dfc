"""The command line, as a user meets it: exit status, one-line messages, files."""

import csv
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from abxfast.store import Store

HEAVY = ("numba", "pyarrow", "onnxruntime", "torch", "numpy", "soundfile")


def write_noise(path, seconds, seed, *, width=1):
    wave = np.random.default_rng(seed).standard_normal(int(seconds * 16_000) + width - 1)
    soundfile.write(path, np.convolve(wave, np.ones(width) / width, "valid") * 0.1, 16_000)


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_noise(folder / "rough.wav", 5, 1)
    write_noise(folder / "smooth.wav", 5, 2, width=9)
    write_noise(folder / "ŋɑ˧.wav", 5, 3, width=9)
    return folder


@pytest.fixture
def store(recordings, run, tmp_path):
    path = tmp_path / "na.store"
    status, _, err = run("embed", recordings, "-o", path, "--snippet", "1")
    assert status == 0, err
    return path


def one_line(err):
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    program = (
        "import sys; sys.argv = ['abxfast', sys.argv[1]]\n"
        "from abxfast import cli\n"
        "try: cli.main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        f"sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_embed_says_that_mfcc_is_not_xlsr(recordings, run, tmp_path):
    status, out, err = run("embed", recordings, "-o", tmp_path / "s.store", "--snippet", "1", "--snippet", "2.5")
    assert status == 0
    assert out == ""
    assert "not XLSR-53" in err
    assert "21 snippets of 3 recordings" in err
    assert "mfcc" in err.splitlines()[-1]


def test_only_recordings_that_were_embedded_are_counted(recordings, run, tmp_path):
    for name in ("one.wav", "two.wav", "three.wav"):
        (recordings / name).write_bytes(b"no audio at all")
    write_noise(recordings / "short.wav", 1.2, 4)
    status, _, err = run("embed", recordings, "-o", tmp_path / "s.store", "--snippet", "2")
    assert status == 1
    assert "6 snippets of 3 recordings into" in err
    assert err.splitlines()[-1].endswith("; 4 failed, see above")
    _, _, err = run("embed", recordings, "-o", tmp_path / "s.store", "--snippet", "1")
    assert "16 snippets of 4 recordings into" in err


def test_mfcc_is_introduced_once_a_store(recordings, run, tmp_path):
    store = tmp_path / "s.store"
    assert "not XLSR-53" in run("embed", recordings, "-o", store, "--snippet", "1")[2]
    assert "not XLSR-53" not in run("embed", recordings, "-o", store, "--snippet", "2")[2]
    assert "not XLSR-53" in run("embed", recordings, "-o", tmp_path / "other.store", "--snippet", "1")[2]


def test_a_recording_that_was_renamed_keeps_its_vectors_and_one_that_is_forgotten_goes(recordings, store, run):
    (recordings / "rough.wav").rename(recordings / "raw.wav")
    status, _, err = run("embed", recordings, "-o", store, "--snippet", "1")
    assert status == 0
    assert "renamed 1, recognised by their content: 'rough.wav' is now 'raw.wav'" in err
    assert "0 snippets of 0 recordings" in err
    assert err.splitlines()[-1].endswith("; 3 recordings in the store already; 1 renamed")
    assert "rough.wav" not in run("score", store)[1]
    status, _, err = run("forget", store, "raw.wav", "nobody.wav")
    assert status == 2
    assert "holds no recording or item 'nobody.wav'; nothing was removed" in one_line(err)
    status, _, err = run("forget", store, recordings / "raw.wav", "smooth.wav")
    assert (status, one_line(err)) == (0, f"removed from {store}: raw.wav, smooth.wav (10 snippets)")
    assert "5 of 1 items" in run("info", store)[1]
    assert (recordings / "raw.wav").exists()


def test_quiet_says_nothing_when_all_is_well(recordings, run, tmp_path):
    assert run("embed", recordings, "-o", tmp_path / "s.store", "--snippet", "1", "-q") == (0, "", "")


def test_embed_json_tells_a_script_what_was_done(recordings, run, tmp_path):
    (recordings / "broken.wav").write_bytes(b"no audio at all")
    status, out, _ = run("embed", recordings, "-o", tmp_path / "s.store", "--snippet", "1", "--json", "-q")
    report = json.loads(out)
    assert status == 1
    assert report["snippets"] == 15
    assert [name for name, _ in report["failures"]] == ["broken.wav"]


def test_one_bad_recording_is_named_and_the_others_are_done(recordings, run, tmp_path):
    (recordings / "broken.wav").write_bytes(b"no audio at all")
    write_noise(recordings / "short.wav", 0.5, 4)
    status, _, err = run("embed", recordings, "-o", tmp_path / "s.store", "--snippet", "1", "-q")
    assert status == 1
    first, second = err.splitlines()
    assert "broken.wav" in first
    assert "short.wav" in second
    assert "0.500 s" in second
    status, out, _ = run("score", tmp_path / "s.store")
    assert status == 0
    assert "broken" not in out
    assert len(out.splitlines()) == 1 + 3 * 2


def test_score_writes_what_it_prints_in_every_format(store, run, tmp_path):
    status, printed, err = run("score", store)
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(printed.splitlines()))
    assert [row["recording"] for row in rows[::2]] == ["rough.wav", "smooth.wav", "ŋɑ˧.wav"]
    assert {row["encoder"] for row in rows} == {"mfcc"}
    for suffix, read in {
        ".csv": lambda path: list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())),
        ".tsv": lambda path: list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t")),
        ".json": lambda path: json.loads(path.read_text(encoding="utf-8"))["cells"],
        ".parquet": lambda path: pq.read_table(path).to_pylist(),
    }.items():
        path = tmp_path / f"scores{suffix}"
        status, out, err = run("score", store, "-o", path)
        assert (status, out) == (0, "")
        assert "encoder mfcc" in err
        found = read(path)
        assert [float(row["score"]) for row in found] == [float(row["score"]) for row in rows]
        assert [int(row["wins2"]) for row in found] == [int(row["wins2"]) for row in rows]


def test_standardised_scores_say_so(store, run, tmp_path):
    status, printed, _ = run("score", store, "--standardise", "zscore")
    assert status == 0
    assert {row["standardise"] for row in csv.DictReader(printed.splitlines())} == {"zscore"}
    status, _, err = run("score", store, "--standardise", "center", "-o", tmp_path / "scores.csv")
    assert "(encoder mfcc, mfcc.max, center)" in err
    status, _, err = run("score", store, "--standardise", "z")
    assert status == 2
    assert one_line(err).endswith("--standardise: found 'z', expected 'center' or 'zscore'")


def test_info_names_the_option_where_few_channels_outweigh_the_others(store, run, monkeypatch):
    advice = "--standardise zscore gives all channels the same weight"
    sample = Store.sample

    def loud(self, variant, n):
        vectors = sample(self, variant, n).copy()
        vectors[:, 5] = 1e4 * (variant == "mfcc.mean")
        return vectors

    monkeypatch.setattr(Store, "sample", loud)
    assert advice not in run("info", store)[1]  # one of 26 channels is more than few
    monkeypatch.setattr("abxfast.scoring.standardisation.MAX_DOMINANT_CHANNELS", 0.05)
    pairs = json.loads(run("info", store, "--json")[1])
    assert pairs["channels: mfcc.mean"] == (
        f"1 of 26 channels holds 100% of the squared length of the vectors; {advice}"
    )
    assert "channels: mfcc.std" not in pairs


def test_scores_for_excel_begin_with_a_byte_order_mark(store, run, tmp_path):
    _, printed, _ = run("score", store)
    assert run("score", store, "--excel") == (0, f"\ufeff{printed}", "")
    assert run("score", store, "-o", tmp_path / "s.csv", "--excel")[0] == 0
    assert (tmp_path / "s.csv").read_text(encoding="utf-8") == f"\ufeff{printed}"
    status, _, err = run("score", store, "-o", tmp_path / "s.parquet", "--excel", "-q")
    assert (status, one_line(err).startswith("abxfast: --excel:")) == (2, True)


def test_json_goes_to_stdout_with_its_origin(store, run):
    status, out, _ = run("score", store, "--json")
    result = json.loads(out)
    assert status == 0
    assert (result["encoder"], result["variant"], result["snippet"]) == ("mfcc", "mfcc.max", "1")
    assert result["task"] == "ON recording"


def test_a_recording_with_one_snippet_is_said_to_be_unscorable(recordings, run, tmp_path):
    write_noise(recordings / "one.wav", 1.2, 9)
    store = tmp_path / "s.store"
    assert run("embed", recordings, "-o", store, "--snippet", "1", "-q")[0] == 0
    status, out, err = run("score", store)
    assert status == 0
    assert "one.wav" in one_line(err)
    rows = {(row["recording"], row["recording_b"]): row for row in csv.DictReader(out.splitlines())}
    assert rows["one.wav", "rough.wav"]["score"] == ""
    assert rows["one.wav", "rough.wav"]["triplets"] == "0"
    assert rows["rough.wav", "one.wav"]["triplets"] == "20"


def test_info_tells_of_stores_and_encoders(store, run):
    status, out, _ = run("info", store)
    assert status == 0
    assert "15 of 3 items" in out
    status, out, _ = run("info", "mfcc", "--json")
    assert status == 0
    assert json.loads(out)["encoder"] == "mfcc"


def test_doctor_finds_two_runtimes_that_overwrite_each_other(run, monkeypatch):
    from abxfast.cli import doctor

    status, out, _ = run("doctor")
    assert status == 0
    assert "problems" in out
    monkeypatch.setattr(doctor, "installed_runtimes", lambda: {"onnxruntime": "1.0", "onnxruntime-gpu": "1.0"})
    status, out, _ = run("doctor")
    assert status == 1
    assert "overwrite each other" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["embed", "{recordings}"], "-o"),
        (["embed", "-o", "s.store"], "--manifest"),
        (["embed", "{recordings}", "-o", "s.store", "--snippet", "long"], "'long'"),
        (["embed", "{recordings}", "-o", "s.store", "--snippet", "-1"], "'-1'"),
        (["embed", "{recordings}", "-o", "s.store", "--remainder", "pad"], "'pad'"),
        (["embed", "{recordings}", "-o", "s.store", "--hop", "0"], "--hop"),
        (["embed", "{recordings}", "-o", "s.store", "--channel", "left"], "'left'"),
        (["embed", "{recordings}", "-o", "s.store", "--threads", "0"], "--threads"),
        (["embed", "{recordings}", "-o", "s.store", "--encoder", "xlsr"], "mfcc"),
        (["embed", "{recordings}", "-o", "s.store", "--provider", "cuda"], "cuda"),
        (["embed", "{recordings}", "-o", "s.store", "--provider", "abacus"], "'abacus'"),
        (["embed", "nowhere", "-o", "s.store"], "nowhere"),
        (["embed", "{empty}", "-o", "s.store"], "no audio"),
        (["embed", "{recordings}", "-o", "{recordings}"], "not a store"),
        (["score", "nowhere"], "nowhere"),
        (["score", "{empty}"], "not a store"),
        (["score", "{store}", "--snippet", "7"], "there are: 1"),
        (["score", "{store}", "--variant", "layer21.max"], "mfcc.max"),
        (["score", "{store}", "--on", "genre"], "'genre'"),
        (["score", "{store}", "--by", "recording"], "twice"),
        (["score", "{store}", "-o", "scores.doc"], ".csv"),
        (["score", "{store}", "-o", "{empty}/no/scores.csv"], "no folder"),
        (["score", "{store}", "--manifest", "nowhere.csv"], "nowhere.csv"),
        (["info", "nowhere.onnx"], "nowhere.onnx"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(words, expected, recordings, store, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"recordings": recordings, "store": store, "empty": tmp_path / "empty"}
    status, out, err = run(*(word.format(**places) for word in words), *(["-q"] if words[0] != "info" else []))
    assert status == 2
    assert out == ""
    assert expected in one_line(err)
    assert not (tmp_path / "s.store").exists()


@pytest.mark.usefixtures("recordings")
def test_labels_come_from_the_manifest(run, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        "path;kind;empty\nrecordings/rough.wav;rough;\nrecordings/smooth.wav;smooth;\nrecordings/ŋɑ˧.wav;smooth;\n",
        encoding="utf-8",
    )
    store = tmp_path / "s.store"
    assert run("embed", "--manifest", manifest, "-o", store, "--snippet", "1", "-q")[0] == 0
    status, out, _ = run("score", store, "--on", "kind")
    assert status == 0
    rows = list(csv.DictReader(out.splitlines()))
    assert [(row["kind"], row["kind_b"], row["triplets"]) for row in rows] == [
        ("rough", "smooth", str(5 * 4 * 10)),
        ("smooth", "rough", str(10 * 9 * 5)),
    ]
    status, _, err = run("score", store, "--on", "empty", "-q")
    assert status == 2
    assert "rough.wav" in one_line(err)

    status, out, err = run("score", store, "--on", "kind", "--different", "recording")
    assert status == 0
    assert "rough" in one_line(err)  # its one recording leaves no a
    counts = [(row["kind"], row["triplets"]) for row in csv.DictReader(out.splitlines())]
    assert counts == [("rough", "0"), ("smooth", str(2 * 5 * 5 * 5))]
    _, out, _ = run("score", store, "--on", "kind", "--min-gap", "1.5", "-q")
    far = sum(abs(a - x) > 2 for a in range(5) for x in range(5))
    counts = [(row["kind"], row["triplets"]) for row in csv.DictReader(out.splitlines())]
    assert counts == [("rough", str(far * 10)), ("smooth", str((2 * far + 2 * 5 * 5) * 5))]
    _, out, _ = run("score", store, "--on", "kind", "--max-size-group", "3", "-q")
    assert [row["triplets"] for row in csv.DictReader(out.splitlines())] == [str(3 * 2 * 3)] * 2

    newer = tmp_path / "newer.csv"
    newer.write_text("path,day\nrecordings/rough.wav,1\nrecordings/smooth.wav,2\n", encoding="utf-8")
    status, out, _ = run("score", store, "--on", "day", "--manifest", newer)
    assert status == 0
    assert len(out.splitlines()) == 3
    newer.write_text("path,day\nrecordings/rough.wav,1\nrecordings/smooth.wav,\n", encoding="utf-8")
    status, _, err = run("score", store, "--on", "day", "--manifest", newer, "-q")
    assert status == 2
    assert "newer.csv line 3" in one_line(err)
    newer.write_text("path,day\nrecordings/rough.wav,1\nrecordings/smooth.wav,1\n", encoding="utf-8")
    status, _, err = run("score", store, "--on", "day", "--manifest", newer, "-q")
    assert status == 2
    assert "single value" in one_line(err)


def test_a_manifest_beside_the_folder_finds_what_was_embedded_from_it(store, recordings, run):
    manifest = recordings.parent / "later.csv"
    manifest.write_text("path,day\nrecordings/rough.wav,1\nrecordings/smooth.wav,2\n", encoding="utf-8")
    status, out, _ = run("score", store, "--on", "day", "--manifest", manifest)
    assert status == 0
    assert len(out.splitlines()) == 3
    manifest.write_text("path,day\nother/rough.wav,1\n", encoding="utf-8")
    status, _, err = run("score", store, "--on", "day", "--manifest", manifest, "-q")
    assert status == 2
    assert "none of its 1 rows" in one_line(err)


@pytest.mark.usefixtures("recordings")
def test_a_study_says_once_what_an_encoder_runs_on(run, tmp_path):
    (tmp_path / "study.toml").write_text(
        '[study]\nrecordings = "recordings"\nsnippets = [1, 2]\n[experiment.all]\non = "recording"\n', encoding="utf-8"
    )
    status, _, err = run("plan", tmp_path / "study.toml", "-o", tmp_path / "results")
    assert status == 0, err
    assert err.count("mfcc.onnx runs on cpu") == 1


def test_near_lists_the_closest_recordings(store, run):
    status, out, err = run("near", store, "rough.wav", "-k", "1")
    assert (status, err) == (0, "")
    assert "closest to rough.wav" in out
    status, out, _ = run("near", store, "rough.wav", "--json")
    assert status == 0
    assert [set(row) for row in json.loads(out)] == [{"recording", "score", "score_from", "score_to", "distance"}] * 2
    status, out, err = run("near", store, "nowhere.wav")
    assert (status, out) == (2, "")
    assert "no recording 'nowhere.wav'" in one_line(err)


def test_score_estimates_on_request(store, run):
    status, out, _ = run("score", store, "--estimate", "0.02", "-q")
    assert status == 0
    assert out.splitlines()[0].startswith("recording,recording_b,score,standard_error,low,high,triplets,encoder")
    status, _, err = run("score", store, "--estimate", "2", "-q")
    assert status == 2
    assert "--estimate: found 2.0" in one_line(err)
