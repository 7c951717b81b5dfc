"""``plan_study``: check a study and estimate what it takes, from headers and from speeds measured on this machine."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abxfast._threads import usable_threads
from abxfast.study.config import read_study
from abxfast.study.embedding_estimate import count_snippets, estimate_embedding
from abxfast.study.embedding_jobs import required_snippets
from abxfast.study.plan_warnings import plan_warnings
from abxfast.study.power_estimate import estimate_power
from abxfast.study.resolve import ResolvedStudy, resolve
from abxfast.study.results_folder import check_results_folder
from abxfast.study.scoring_estimate import estimate_scoring
from abxfast.study.triplets import check_triplets

if TYPE_CHECKING:
    from abxfast.study.embedding_jobs import ItemLength


@dataclass(frozen=True)
class StudyPlan:
    """What a study takes, as `plan_study` estimates it.

    Attributes
    ----------
    title : str
    recordings : int
    hours : float
        Duration of the audio that takes part.
    snippets : dict of str to int
        Number of snippets of each length, estimated from the headers.
    steps : int
        Number of analyses: experiments × encoders × variants × lengths.
    kept : int
        Number of analyses that an earlier run finished.
    cells, triplets : int
        Over all analyses; triplets without regard to constraints on pairs of snippets.
    embedded : float
        Share of the audio that is embedded already.
    disk_mb, disk_free_mb : float
        Disk space that the stores will grow by, and what is free.
    memory_mb : float
        Peak memory.
    embed_s, score_s, test_s : float
        Time left on this machine, in seconds.
    speeds : dict of str to float
        Measured speed of each encoder, × real time; 0 if it has nothing left to embed.
    power : tuple of str
        What differences each experiment could show at each length, and what it would take to show smaller ones.
    notes : tuple of str
        What the study will not be able to do.

    Examples
    --------
    >>> from abxfast import plan_study
    >>> plan = plan_study("study.toml", "results")
    >>> for line in plan.lines()[:6]:
    ...     print(line)
    study       Examples
    recordings  4, 0.07 hours
    snippets    240 of 1 s
    analyses    1 (experiment × encoder × variant × length), 1 finished
    cells       12
    triplets    2,548,800
    >>> sorted(plan.to_json())[:4]
    ['cells', 'disk_free_mb', 'disk_mb', 'embed_s']
    """

    title: str
    recordings: int
    hours: float
    snippets: dict[str, int]
    steps: int
    kept: int
    cells: int
    triplets: int
    embedded: float
    disk_mb: float
    disk_free_mb: float
    memory_mb: float
    embed_s: float
    score_s: float
    test_s: float
    speeds: dict[str, float]
    power: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a dict of plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the plan as lines of text for a terminal."""
        snippets = ", ".join(f"{n:,} of {name}" for name, n in self.snippets.items())
        speeds = ", ".join(f"{name} {speed:,.0f} × real time" for name, speed in self.speeds.items() if speed)
        left = f"embedding {_duration(self.embed_s)}, scoring {_duration(self.score_s)}, tests {_duration(self.test_s)}"
        entries = [
            ("study", self.title),
            ("recordings", f"{self.recordings:,}, {self.hours:.2f} hours"),
            ("snippets", snippets),
            ("analyses", f"{self.steps:,} (experiment × encoder × variant × length), {self.kept:,} finished"),
            ("cells", f"{self.cells:,}"),
            ("triplets", f"{self.triplets:,}"),
            ("embedded", f"{100 * self.embedded:.0f}% of the audio"),
            ("disk", f"{self.disk_mb:,.0f} MB needed, {self.disk_free_mb:,.0f} MB free"),
            ("memory", f"{self.memory_mb:,.0f} MB at most"),
            ("speed here", speeds or "nothing to embed"),
            ("time left", f"{_duration(self.embed_s + self.score_s + self.test_s)}: {left}"),
        ]
        entries += [("power", text) for text in self.power] + [("note", note) for note in self.notes]
        return [f"{name:<11} {value}" for name, value in entries]


def plan_study(
    study_path: str | Path,
    results: str | Path,
    *,
    provider: str = "auto",
    memory_mb: float = 512,
    threads: int | None = None,
) -> StudyPlan:
    """Check a study and estimate what is left to do, without doing it.

    The speed of encoders, scoring and tests is measured for a few seconds unless all is done.

    Parameters
    ----------
    study_path : path
        The study file.
    results : path
        The results folder; what an earlier run finished there counts as done. It is not created.
    provider, memory_mb, threads
        See `abxfast.run_study`.

    Returns
    -------
    StudyPlan

    Raises
    ------
    AbxfastError
        If the study cannot be carried out; an error of the study file names its line.

    Examples
    --------
    >>> from abxfast import plan_study
    >>> plan = plan_study("study.toml", "results")
    >>> plan.recordings, plan.snippets, plan.triplets
    (4, {'1 s': 240}, 2548800)

    All analyses of this study are finished, so no time is left:

    >>> plan.steps, plan.kept, plan.embed_s + plan.score_s + plan.test_s
    (1, 1, 0.0)
    """
    folder = Path(results)
    study = read_study(Path(study_path))
    check_results_folder(folder, study)
    resolved = resolve(study, provider)
    check_triplets(resolved)
    threads = threads or usable_threads()
    required = required_snippets(resolved)
    embedding = estimate_embedding(resolved, folder, required, provider, threads)
    scoring = estimate_scoring(resolved, folder, memory_mb, threads)
    free_bytes = shutil.disk_usage(_existing_parent(folder)).free
    notes = [*_unreadable(resolved), *plan_warnings(resolved)]
    if embedding.disk_bytes > free_bytes:
        notes.append("not enough disk space: free some, or choose a results folder on another disk")
    items = dict.fromkeys(item.item for item, _ in required)
    return StudyPlan(
        title=study.title,
        recordings=len(resolved.recordings),
        hours=sum(resolved.seconds[name] for name in items) / 3600,
        snippets=_count_by_length(resolved, required),
        steps=scoring.analyses,
        kept=scoring.finished,
        cells=scoring.cells,
        triplets=scoring.triplets,
        embedded=embedding.share_done,
        disk_mb=embedding.disk_bytes / 1e6,
        disk_free_mb=free_bytes / 1e6,
        memory_mb=scoring.memory_mb,
        embed_s=embedding.embed_s,
        score_s=scoring.score_s,
        test_s=scoring.test_s,
        speeds=embedding.speeds,
        power=tuple(estimate_power(resolved, folder)),
        notes=tuple(notes),
    )


def _count_by_length(resolved: ResolvedStudy, required: list[ItemLength]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item, length in required:
        name = "whole items" if length is None else f"{length:g} s"
        counts[name] = counts.get(name, 0) + count_snippets(resolved, item, length)
    return counts


def _unreadable(resolved: ResolvedStudy) -> list[str]:
    return [
        f"{recording}: its header cannot be read; the run will report why"
        for recording, info in resolved.files.items()
        if info is None
    ]


def _existing_parent(path: Path) -> Path:
    """Return the path itself, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _duration(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    if seconds < 5400:  # noqa: PLR2004
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
