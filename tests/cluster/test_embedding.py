"""Embedding with workers in processes of their own, which may die, fail, or differ from the client."""

import asyncio
import shutil
from types import SimpleNamespace

import distributed
import pytest
from noise_recordings import read_content, write_noise

from abxfast import embed
from abxfast.cluster import connection, embed_on_cluster, embed_tasks, embed_worker
from abxfast.encoders import find_encoder
from abxfast.errors import ClusterError, StoreError

SNIPPETS = [0.5, 1.0]


@pytest.fixture(scope="module")
def cluster():
    with connection._scheduler("local:2") as started:
        yield started


@pytest.fixture
def address(cluster):
    return cluster.scheduler_address


@pytest.fixture
def audio(tmp_path):
    for n, seconds in enumerate((2.2, 9.7, 1.4, 3.0)):
        write_noise(tmp_path / "audio" / f"r{n}.wav", seconds, seed=n)
    return tmp_path / "audio"


@pytest.fixture
def expected(audio, tmp_path):
    embed(audio, tmp_path / "one.store", snippets=SNIPPETS)
    return read_content(tmp_path / "one.store")


@pytest.fixture
def on_each_worker(address):
    """Return a function that patches each worker, also those that start later, until the test ends."""
    with distributed.Client(address, set_as_default=False) as client:
        names = []

        def install(function):
            class Plugin(distributed.WorkerPlugin):  # pickled by value, since it is local
                def setup(self, worker):
                    from abxfast.cluster import embed_worker as patched

                    self.replaced = {name: (patched, getattr(patched, name)) for name in ("Decoder", "EncodingRun")}
                    function(worker, patched)

                def teardown(self, worker):  # noqa: ARG002
                    for name, (patched, value) in self.replaced.items():
                        setattr(patched, name, value)

            names.append(f"plugin-{len(names)}")
            client.register_plugin(Plugin(), name=names[-1])

        yield install
        for name in names:
            client.unregister_worker_plugin(name)


def die_of(recording, marker=None):
    """Return a function that has a worker die of a recording; if `marker` is given, only the first of all workers."""

    def patch(_, patched):
        import os

        decoder_of = patched.Decoder

        def die_or_decode(manifest, *arguments, **options):
            if any(item.recording.endswith(recording) for item in manifest.items):
                if marker is None:
                    os._exit(1)
                try:
                    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return decoder_of(manifest, *arguments, **options)
                os._exit(1)
            return decoder_of(manifest, *arguments, **options)

        patched.Decoder = die_or_decode

    return patch


def fill_disk_of(*workers):
    """Return a function after which the workers of these names cannot write."""

    def patch(worker, patched):
        from abxfast.errors import StoreError

        def run(*_, **__):
            raise StoreError("the disk is full")

        if worker.name in workers:
            patched.EncodingRun = type("FullDisk", (patched.EncodingRun,), {"run": run})

    return patch


def test_the_store_is_that_of_one_process_and_is_resumed(address, audio, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(embed_tasks, "TASK_S", 2.0)
    monkeypatch.setattr(embed_tasks, "SPAN_S", 3.0)
    shutil.copy(audio / "r0.wav", audio / "short.wav")
    (audio / "short.wav").write_bytes((audio / "r0.wav").read_bytes()[:9000])
    (audio / "text.wav").write_text("not audio")
    report = embed_on_cluster(audio, tmp_path / "many.store", address, snippets=SNIPPETS)
    assert read_content(tmp_path / "many.store") == expected
    assert sorted(name for name, _ in report.failures) == ["short.wav", "text.wav"]
    assert report.snippets == sum(len(items) for (_, variant), (items, *_) in expected[0].items() if "max" in variant)
    assert (report.recordings, report.skipped, report.provider) == (6, 0, "cpu")

    again = embed_on_cluster(audio, tmp_path / "many.store", address, snippets=SNIPPETS)
    assert (again.snippets, again.skipped) == (0, 4)
    assert not list((tmp_path / "many.store").glob(".tmp-*"))


def test_spans_cover_each_recording_once():
    files = [SimpleNamespace(items=[n], duration_s=seconds, path=n) for n, seconds in enumerate((1, 7200, 8000, 30))]
    tasks = embed_tasks.make_embed_tasks(files, 2)
    spans = sorted((task.items[0], task.span) for task in tasks if task.span != embed_tasks.WHOLE_SPAN)
    for number in (1, 2):
        bounds = [span for item, span in spans if item == number]
        assert bounds[0].start_s == 0
        assert bounds[-1].stop_s is None
        assert [span.stop_s for span in bounds[:-1]] == [span.start_s for span in bounds[1:]]
    assert sorted(item for task in tasks if task.span == embed_tasks.WHOLE_SPAN for item in task.items) == [0, 3]
    assert sum(task.audio_s for task in tasks) == pytest.approx(15231)


def test_what_a_worker_had_is_done_by_another_when_it_dies(address, audio, expected, tmp_path, on_each_worker):
    on_each_worker(die_of("r1.wav", str(tmp_path / "died")))
    report = embed_on_cluster(audio, tmp_path / "many.store", address, snippets=SNIPPETS)
    assert (tmp_path / "died").exists()
    assert report.failures == []
    assert read_content(tmp_path / "many.store") == expected


def test_a_recording_that_kills_three_workers_is_named_and_the_others_are_embedded(
    address, audio, tmp_path, on_each_worker
):
    on_each_worker(die_of("r1.wav"))
    report = embed_on_cluster(audio, tmp_path / "many.store", address, snippets=SNIPPETS)
    ((name, reason),) = report.failures
    assert name == "r1.wav"
    assert "3 workers ended" in reason
    (audio / "r1.wav").unlink()
    embed(audio, tmp_path / "others.store", snippets=SNIPPETS)
    assert read_content(tmp_path / "many.store") == read_content(tmp_path / "others.store")


def test_tasks_of_a_worker_with_a_full_disk_go_to_others(address, audio, expected, tmp_path, on_each_worker):
    on_each_worker(fill_disk_of(0))
    embed_on_cluster(audio, tmp_path / "many.store", address, snippets=SNIPPETS)
    assert read_content(tmp_path / "many.store") == expected
    on_each_worker(fill_disk_of(0, 1))
    with pytest.raises(StoreError, match=r"worker tcp.*the disk is full"):
        embed_on_cluster(audio, tmp_path / "full.store", address, snippets=SNIPPETS)


def test_an_encoder_is_shipped(address, audio, expected, tmp_path):
    encoder = shutil.copy(find_encoder("mfcc"), tmp_path / "copy.onnx")
    embed_on_cluster(audio, tmp_path / "many.store", address, encoder=encoder, snippets=SNIPPETS, ship_encoder=True)
    assert read_content(tmp_path / "many.store") == expected
    with distributed.Client(address, set_as_default=False) as client:
        for path in client.run(lambda: [str(encoder.path) for encoder in embed_worker._encoders.values()]).values():
            assert str(tmp_path) not in str(path)


def test_ctrl_c_stops_the_tasks_and_what_is_done_is_kept(address, audio, expected, tmp_path):
    def interrupt(progress):
        if progress.done_s:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_on_cluster(audio, tmp_path / "many.store", address, snippets=SNIPPETS, progress=interrupt)
    embed_on_cluster(audio, tmp_path / "many.store", address, snippets=SNIPPETS)
    assert read_content(tmp_path / "many.store") == expected


@pytest.mark.parametrize("module", ["abxfast", "Python"])
def test_workers_of_another_version_are_refused(address, audio, tmp_path, module, monkeypatch):
    if module == "abxfast":
        monkeypatch.setattr(connection, "__version__", "9.8.7")
    else:
        monkeypatch.setattr(connection.platform, "python_version", lambda: "9.8.7")
    with pytest.raises(ClusterError, match=f"worker tcp.* has {module} [0-3].*this process has {module} 9.8"):
        embed_on_cluster(audio, tmp_path / "many.store", address)


def test_what_a_worker_cannot_see_is_named(tmp_path, audio):
    embed(audio, tmp_path / "one.store")
    (tmp_path / "one.store" / ".tmp-probe").touch()
    job = embed_worker.EmbedJob(
        root=tmp_path / "one.store",
        probe=".tmp-probe",
        encoder="mfcc",
        shipped=False,
        encoder_sha256=embed_worker.open_encoder("mfcc").sha256,
        provider="cpu",
        plans=(),
        channel=None,
    )

    host = SimpleNamespace(local_directory=tmp_path)

    def problem(folders=(), **changes):
        changed = embed_worker.EmbedJob(**{**vars(job), **changes})
        return asyncio.run(embed_worker.check_worker(changed, folders, host)).problem

    assert problem([audio]) is None
    assert f"cannot see {tmp_path / 'other'}" in problem([audio, tmp_path / "other"])
    assert "cannot see the store" in problem(probe=".tmp-other")
    missing = str(tmp_path / "missing.onnx")
    assert problem(encoder=missing, provider="auto") == f"cannot see the encoder {missing}; pass `ship_encoder`"
    assert "another file" in problem(encoder_sha256="0" * 64)
    assert "has abxfast" in problem(version="9.8.7")
