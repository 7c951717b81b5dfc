"""Running tasks on a cluster: following them, trying again what died with its worker, and stopping."""

from __future__ import annotations

import logging
import queue
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from distributed import Future, KilledWorker

from abxfast.cluster.connection import workers_of
from abxfast.errors import AbxfastError, ClusterError, ClusterLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

logger = logging.getLogger(__name__)

POLL_S = 0.5
TASKS_IN_FLIGHT = 4
"""Tasks for each thread of the workers that the scheduler holds; the others wait here."""
MAX_DEATHS = 3
"""A task that ended with its worker so often is given up."""
_LAST_ROUND = 3
"""From this round on, suspected tasks run one at a time."""

_Task = TypeVar("_Task")


class WorkerFailure(NamedTuple):
    """Why a worker could not do a task.

    Attributes
    ----------
    worker : str
        Address of the worker.
    error : AbxfastError
    elsewhere : bool
        Whether another worker may succeed, as when a disk is full. If not, the whole run is stopped.
    """

    worker: str
    error: AbxfastError
    elsewhere: bool


class Killed(NamedTuple):
    """The outcome of a task whose worker died each time: how often."""

    deaths: int


def _lost() -> ClusterLostError:
    return ClusterLostError(
        "the scheduler is gone; what the workers had finished is kept: start a scheduler and run the same command again"
    )


class _Submitted(NamedTuple, Generic[_Task]):
    """A task that was submitted, and the workers that it is restricted to, if any."""

    task: _Task
    workers: set[str] | None


class TaskRun(Generic[_Task]):
    """Runs a function on a cluster for each of many tasks.

    Parameters
    ----------
    client : distributed.Client
    function : callable
        Called with `job` and an encoded task, on a worker. A `WorkerFailure` that it returns is dealt with here.
    job : object
        What all tasks share; small, since it is sent with each.
    isolate : callable
        Splits a task whose worker died into tasks that may succeed by themselves.
    encode : callable
        Returns what is sent for a task, if that is large; it is called when the task is submitted.
    """

    def __init__(
        self,
        client: Client,
        function: Callable[[Any, Any], Any],
        job: object,
        isolate: Callable[[_Task], Sequence[_Task]] = lambda task: [task],
        encode: Callable[[_Task], object] = lambda task: task,
    ) -> None:
        self._encode = encode
        self._client = client
        self._function = function
        self._job = job
        self._isolate = isolate
        self._name = f"{function.__name__}-{uuid.uuid4().hex[:8]}"
        self._n_submitted = 0
        self._running: dict[Future, _Submitted[_Task]] = {}
        self._finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._failed_workers: set[str] = set()

    def outcomes(self, tasks: Sequence[_Task]) -> Iterator[tuple[_Task, Any] | None]:
        """Yield each task with what the function returned, or with `Killed`; ``None`` twice a second or so.

        A worker may die of its task, or by chance while it runs. Tasks of dead workers run again when all others are
        done: each by itself, and those of workers that died again one at a time.

        Raises
        ------
        ClusterLostError
            If the scheduler is gone.
        AbxfastError
            If a worker failed in a way that every worker would, or all workers failed.
        """
        deaths: dict[_Task, int] = {}
        n_round = 0
        while tasks:
            n_round += 1
            suspected: dict[_Task, int] = {}
            batches = [tasks] if n_round < _LAST_ROUND else [[task] for task in tasks]
            for outcome in (outcome for batch in batches for outcome in self._follow(batch)):
                if outcome is None or not isinstance(outcome[1], Killed):
                    yield outcome
                    continue
                task = outcome[0]
                n_deaths = deaths.get(task, 0) + outcome[1].deaths
                if n_round > 1 and n_deaths >= MAX_DEATHS:
                    yield task, Killed(n_deaths)
                else:
                    suspected |= dict.fromkeys(self._isolate(task), n_deaths)
            deaths, tasks = suspected, list(suspected)

    def stop(self) -> None:
        """Cancel all tasks; those that run end at the next block of audio, and keep what they have done."""
        self._client.cancel(list(self._running), force=True)

    def _follow(self, tasks: Sequence[_Task]) -> Iterator[tuple[_Task, Any] | None]:
        waiting = deque(tasks)
        while waiting or self._running:
            if self._client.status != "running":
                raise _lost()
            if waiting and len(self._running) < TASKS_IN_FLIGHT * self._n_threads():
                self._submit(waiting.popleft())
                continue
            try:
                future = self._finished.get(timeout=POLL_S)
            except queue.Empty:
                self._rescue_stranded()
                yield None
                continue
            if future not in self._running:  # submitted again since
                continue
            task = self._running.pop(future).task
            outcome = self._outcome(future)
            if isinstance(outcome, WorkerFailure):
                self._note_failure(outcome)
                self._submit(task)
            else:
                yield task, outcome

    def _n_threads(self) -> int:
        return max(1, sum(workers_of(self._client).values()))

    def _submit(self, task: _Task) -> None:
        """Submit a task to any worker that has not failed."""
        self._n_submitted += 1
        workers = None
        if self._failed_workers:
            workers = workers_of(self._client).keys() - self._failed_workers
        future = self._client.submit(
            self._function,
            self._job,
            self._encode(task),
            key=f"{self._name}-{self._n_submitted}",
            pure=False,
            workers=workers and list(workers),
        )
        self._running[future] = _Submitted(task, workers)
        future.add_done_callback(self._finished.put)

    def _rescue_stranded(self) -> None:
        """Submit again the tasks that may only run on workers that have left since."""
        restricted = [(future, task, workers) for future, (task, workers) in self._running.items() if workers]
        if not restricted:
            return
        present = workers_of(self._client).keys()
        for future, task, workers in restricted:
            if present and not present & workers:
                del self._running[future]
                future.cancel()
                self._submit(task)

    def _outcome(self, future: Future) -> Any:
        if future.status == "finished":
            return future.result()
        if future.status == "cancelled":
            raise _lost()
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Killed(error.allowed_failures + 1)
        raise ClusterError(f"a worker failed: {type(error).__name__}: {error}") from error

    def _note_failure(self, failure: WorkerFailure) -> None:
        is_known = failure.worker in self._failed_workers
        self._failed_workers.add(failure.worker)
        if not failure.elsewhere or set(workers_of(self._client)) <= self._failed_workers:
            raise type(failure.error)(f"worker {failure.worker}: {failure.error}")
        if not is_known:
            logger.warning("worker %s: %s; its tasks go to other workers", failure.worker, failure.error)
