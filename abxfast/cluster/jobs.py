"""Workers as the jobs of a batch system, through dask-jobqueue."""

from __future__ import annotations

import logging
import shutil
import tomllib
from pathlib import Path
from typing import Any

from abxfast.errors import ClusterError, MissingPackageError

logger = logging.getLogger(__name__)

CLUSTER_CLASSES = {
    "htcondor": "HTCondorCluster",
    "lsf": "LSFCluster",
    "moab": "MoabCluster",
    "oar": "OARCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "slurm": "SLURMCluster",
}
"""Classes of dask-jobqueue, by the name of the table that describes their jobs."""
_SCALING = ("jobs", "minimum_jobs", "maximum_jobs")


def start_jobs(path: str | Path) -> Any:
    """Submit the jobs that a TOML file describes.

    The file has one table, named after the batch system. Its keys are the parameters of dask-jobqueue's class, and
    ``jobs``, or ``minimum_jobs`` and ``maximum_jobs``, for the number of jobs::

        [slurm]
        jobs = 10
        queue = "cpu"
        cores = 4
        processes = 4
        memory = "16GB"
        walltime = "08:00:00"

    Returns
    -------
    dask_jobqueue.JobQueueCluster

    Raises
    ------
    ClusterError
        If the file cannot be read, its keys are not those of dask-jobqueue, or jobs cannot be submitted here.
    MissingPackageError
        If dask-jobqueue is not installed.
    """
    system, options = read_jobs(Path(path))
    try:
        import dask_jobqueue  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError(
            "batch systems need dask-jobqueue, which is not installed: pip install 'abxfast[cluster]'"
        ) from error
    scaling = {name: options.pop(name) for name in _SCALING if name in options}
    cluster_class = getattr(dask_jobqueue, CLUSTER_CLASSES[system])
    command = cluster_class.job_cls.submit_command.split()[0]
    if shutil.which(command) is None:
        raise ClusterError(
            f"{path}: there is no {command} on this machine; run it where jobs of {system} are submitted"
        )
    try:
        cluster = cluster_class(**options)
        logger.debug("job script:\n%s", cluster.job_script())
        if "jobs" in scaling:
            cluster.scale(jobs=scaling["jobs"])
        else:
            cluster.adapt(**scaling)
    except (TypeError, ValueError) as error:
        problem = str(error).partition(". ")[0]
        raise ClusterError(f"{path}: table [{system}]: {problem}; see the parameters of dask-jobqueue") from error
    return cluster


def read_jobs(path: Path) -> tuple[str, dict[str, Any]]:
    """Read the name of the batch system and the keys of its table.

    Raises
    ------
    ClusterError
        If the file cannot be read, or has other tables.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClusterError(f"`cluster`: {path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ClusterError(f"{path}: is not TOML ({error})") from error
    system, options = next(iter(tables.items()), ("", None))
    if len(tables) != 1 or system not in CLUSTER_CLASSES or not isinstance(options, dict):
        raise ClusterError(
            f"{path}: found {', '.join(tables) or 'nothing'}, expected one table of {', '.join(CLUSTER_CLASSES)}"
        )
    scaling = {name: options[name] for name in _SCALING if name in options}
    wrong = [name for name, value in scaling.items() if type(value) is not int or value < (name != "minimum_jobs")]
    if wrong:
        raise ClusterError(f"{path}: {wrong[0]} is {scaling[wrong[0]]!r}, expected a whole number, at least 1")
    if "jobs" not in scaling and "maximum_jobs" not in scaling:
        raise ClusterError(f"{path}: table [{system}] has neither jobs nor maximum_jobs; add the number of jobs")
    return system, options
