"""Connecting to a cluster: a scheduler's address, workers on this machine, or the jobs of a batch system."""

from __future__ import annotations

import logging
import platform
import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import dask
from distributed import Client, LocalCluster

from abxfast._version import __version__
from abxfast.cluster.jobs import start_jobs
from abxfast.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5
SCHEDULER_OPTIONS = {
    # A task that a worker dies of comes back at once: `abxfast.cluster.running` decides whether to try it again.
    "distributed.scheduler.allowed-failures": 0,
    # No more tasks on a worker than it runs: those that only wait there are not suspected when it dies.
    "distributed.scheduler.worker-saturation": 1.0,
}
"""Options of the schedulers that are started here; one that runs already has its own."""


@contextmanager
def connect(cluster: str | Path) -> Iterator[Client]:
    """Connect to a cluster, and check that its workers have the Python and the abxfast of this process.

    Parameters
    ----------
    cluster : str or path
        The address of a Dask scheduler (``"tcp://host:8786"``); ``"local:4"`` for four processes of this machine; or a
        TOML file that describes the jobs of a batch system (see `start_jobs`).

    Yields
    ------
    distributed.Client
        With one worker at least. A cluster that was started here is stopped in the end.

    Raises
    ------
    ClusterError
        If `cluster` is none of these, the scheduler does not answer within seconds, or a worker has another version.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said in one line of ours
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's, on versions of packages that do not matter here
        address = stack.enter_context(_scheduler(str(cluster)))
        client = stack.enter_context(_open_client(address, str(cluster)))
        if client.dashboard_link:
            logger.info("Dask dashboard: %s", client.dashboard_link)
        if not workers_of(client):
            logger.info("waiting for the first worker of %s", cluster)
            client.wait_for_workers(1)
        check_versions(client)
        yield client


def workers_of(client: Client) -> dict[str, int]:
    """Return the number of threads of each worker, by address."""
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    except OSError:  # the scheduler is gone, which `TaskRun` finds too
        return {}
    return {address: int(worker["nthreads"]) for address, worker in workers.items()}


def check_versions(client: Client) -> None:
    """Refuse workers whose Python or abxfast differs from that of this process.

    Raises
    ------
    ClusterError
        If there is one; it names both versions.
    """
    python = _minor(platform.python_version())
    for address, found in client.get_versions(packages=["abxfast"])["workers"].items():
        for name, theirs, ours in (
            ("Python", _minor(found["host"]["python"]), python),
            ("abxfast", found["packages"].get("abxfast"), __version__),
        ):
            if theirs != ours:
                raise ClusterError(
                    f"worker {address}: has {f'{name} {theirs}' if theirs else f'no {name}'}, this process has "
                    f"{name} {ours}; install the same version on both"
                )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


@contextmanager
def _scheduler(cluster: str) -> Iterator[Any]:
    """Start what `cluster` describes, unless it is an address; yield what a client connects to."""
    kind, _, count = cluster.partition(":")
    if "://" in cluster:
        yield cluster
        return
    with dask.config.set(SCHEDULER_OPTIONS):
        if kind == "local" and count.isdecimal() and int(count):
            started = LocalCluster(
                n_workers=int(count),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
        elif cluster.endswith(".toml"):
            started = start_jobs(cluster)
        else:
            raise ClusterError(
                f"`cluster`: found {cluster!r}, expected the address of a Dask scheduler (tcp://HOST:8786), local:N "
                "for N processes of this machine, or a .toml file for a batch system"
            )
    with started:
        yield started


@contextmanager
def _open_client(address: Any, name: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"`cluster`: no scheduler answers at {name}; start one with 'dask scheduler', or correct the address"
        ) from error
    with client:
        yield client
