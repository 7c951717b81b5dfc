"""Network namespaces of one machine as the hosts of a Dask cluster: each with an address and a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

BRIDGE = "abxfast0"
SUBNET = "10.77.0"
PORT = 8786


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)  # noqa: S603, S607


class Hosts:
    """A scheduler and workers, each in a network namespace; needs root.

    Parameters
    ----------
    folder : Path
        Where each host gets a folder.
    n_workers : int
    allowed_failures : int
        See ``distributed.scheduler.allowed-failures``.
    """

    def __init__(self, folder: Path, n_workers: int, allowed_failures: int = 3) -> None:
        self._folder = folder
        self._allowed_failures = allowed_failures
        self.names = [f"abxfast-{i}" for i in range(n_workers + 1)]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def scheduler(self) -> str:
        """Address of the scheduler."""
        return f"tcp://{SUBNET}.10:{PORT}"

    @property
    def workers(self) -> list[str]:
        """Names of the hosts that run a worker."""
        return self.names[1:]

    def __enter__(self) -> Self:
        """Create the namespaces, connect them by a bridge, and start the processes."""
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{SUBNET}.1/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for i, name in enumerate(self.names):
            _ip("netns", "add", name)
            _ip("link", "add", f"abxv{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"abxv{i}", "master", BRIDGE)
            _ip("link", "set", f"abxv{i}", "up")
            _ip("-n", name, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", name, "link", "set", device, "up")
        for name in self.names:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, and remove the namespaces and the bridge."""
        for name in self.names:
            self.kill(name)
            _ip("netns", "del", name)
        _ip("link", "del", BRIDGE)

    def address(self, name: str) -> str:
        """Return the address of a host."""
        return f"{SUBNET}.{10 + self.names.index(name)}"

    def start(self, name: str) -> None:
        """Start the scheduler, or the worker, of a host."""
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        dask = [str(Path(sys.executable).with_name("dask"))]
        if name == self.names[0]:
            words = ["scheduler", "--host", self.address(name), "--port", str(PORT), "--no-dashboard"]
        else:
            words = ["worker", self.scheduler, "--host", self.address(name), "--nthreads", "1", "--no-dashboard"]
            words += ["--memory-limit", "0", "--local-directory", str(folder), "--name", name]
        settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(self._allowed_failures)}
        with (folder / "log").open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603
                ["ip", "netns", "exec", name, *dask, *words],  # noqa: S607
                cwd=folder,
                env={**os.environ, **settings, "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill all processes of a host, without warning."""
        process = self._processes.pop(name, None)
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
