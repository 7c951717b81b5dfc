"""Clusters that cannot be used are refused in one line."""

import importlib
import stat
import sys

import distributed
import pytest

import abxfast.cluster
from abxfast.cluster import connect, connection
from abxfast.cluster.jobs import CLUSTER_CLASSES, start_jobs
from abxfast.cluster.running import TaskRun
from abxfast.errors import ClusterError, ClusterLostError, MissingPackageError

JOBS = 'jobs = 1\ncores = 4\nprocesses = 2\nmemory = "8GB"\nwalltime = "01:00:00"\nqueue = "cpu"\n'
COMMANDS = {"slurm": "sbatch", "pbs": "qsub", "sge": "qsub"}


@pytest.fixture
def submit(tmp_path, monkeypatch):
    """Commands that accept any job and never start it."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    for command in ("sbatch", "qsub", "scancel", "qdel"):
        path = tmp_path / "bin" / command
        path.write_text("#!/bin/sh\necho Submitted batch job 1\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def write_jobs(tmp_path, text):
    path = tmp_path / "jobs.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("cluster", "found"),
    [
        ("host:8786", "found 'host:8786'"),
        ("local:0", "found 'local:0'"),
        ("missing.toml", "cannot be read"),
        ("tcp://127.0.0.1:1", "no scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_a_cluster_that_cannot_be_used(cluster, found, monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.2)
    with pytest.raises(ClusterError, match=f"`cluster`: .*{found}"), connect(cluster):
        pass


@pytest.mark.usefixtures("submit")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[slurm", "is not TOML"),
        ("", "found nothing, expected one table of"),
        ("[kubernetes]\njobs = 1", "found kubernetes, expected"),
        ("slurm = 1", "found slurm, expected"),
        ("[slurm]\ncores = 1", "neither jobs nor maximum_jobs"),
        ("[slurm]\njobs = 0", "jobs is 0, expected"),
        (f"[slurm]\nquee = 1\n{JOBS}", "unexpected keyword argument 'quee'"),
        (f"[lsf]\n{JOBS}", "there is no bsub on this machine"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a half-made cluster of Dask
def test_a_file_that_does_not_describe_jobs(text, found, tmp_path):
    with pytest.raises(ClusterError, match=found):
        start_jobs(write_jobs(tmp_path, text))


@pytest.mark.usefixtures("submit")
@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("slurm", ["#SBATCH -p cpu", "#SBATCH --cpus-per-task=4", "#SBATCH -t 01:00:00"]),
        ("pbs", ["#PBS -q cpu", "#PBS -l walltime=01:00:00"]),
        ("sge", ["#$ -q cpu", "#$ -l h_rt=01:00:00"]),
    ],
)
def test_the_script_of_a_job_has_the_keys_of_the_file(system, lines, tmp_path):
    with start_jobs(write_jobs(tmp_path, f"[{system}]\n{JOBS}")) as cluster:
        assert type(cluster).__name__ == CLUSTER_CLASSES[system]
        script = cluster.job_script()
    for line in [*lines, f"{sys.executable} -m distributed.cli.dask_worker tcp://", "--nthreads 2", "--nworkers 2"]:
        assert line in script


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'abxfast\[cluster\]'"):
        importlib.reload(abxfast.cluster)


def test_a_scheduler_that_is_gone_is_noticed():
    with connect("local:1") as client:

        def exit_scheduler(dask_scheduler):
            for comm in list(dask_scheduler.client_comms.values()):
                comm.abort()

        def wait_until_cancelled(_, __):
            while True:
                tasks = distributed.get_worker().state.tasks
                if all(task.state == "cancelled" for task in tasks.values()):
                    return

        outcomes = TaskRun(client, wait_until_cancelled, None).outcomes([1])
        next(outcomes)
        client.run_on_scheduler(exit_scheduler)
        with pytest.raises(ClusterLostError, match="the scheduler is gone"):
            list(outcomes)
