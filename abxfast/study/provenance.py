"""The provenance of results: versions, hashes, encoders, experiments and their size, for ``run.json``."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from abxfast._version import __version__
from abxfast.results import FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abxfast.results import Row
    from abxfast.store import Store
    from abxfast.study.resolve import ResolvedStudy
    from abxfast.study.selection import Selection

_PACKAGES = ("numpy", "scipy", "numba", "pyarrow", "soundfile", "soxr", "onnxruntime", "onnxruntime-gpu")


def describe_run(
    resolved: ResolvedStudy,
    stores: Mapping[str, Store],
    rows: Mapping[str, Sequence[Row]],
    failures: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Return a description of a run as plain values for JSON; a repeated run has the same one.

    Parameters
    ----------
    resolved : ResolvedStudy
    stores : mapping of str to Store
        By encoder.
    rows : mapping of str to sequence of dict
        Rows of the result tables, by table.
    failures : sequence of (str, str)
        Recording or item, and why it takes no part.
    """
    study = resolved.study
    source = study.source.read_bytes() if study.source.is_file() else b""
    return {
        "format": FORMAT,
        "title": study.title,
        "source": study.source_as_written,
        "abxfast": __version__,
        "study_sha256": study.sha256,
        "manifest_sha256": hashlib.sha256(source).hexdigest() if source else "",
        "seed": study.seed,
        "permutations": study.permutations,
        "margin": study.margin,
        "channel": study.channel,
        "standardise": study.standardise or "none",
        "tools": {"python": platform.python_version(), **_versions()},
        "encoders": [_describe_encoder(resolved, name, store) for name, store in stores.items()],
        "experiments": [_describe_experiment(selection) for selection in resolved.selections],
        "plan": {
            "recordings": len(rows["recordings"]),
            "audio_s": sum(row["seconds"] or 0.0 for row in rows["recordings"]),
            "snippets": _count_snippets(resolved, stores),
            "cells": sum(row["cells"] for row in rows["summary"]),
            "triplets": sum(row["triplets"] for row in rows["summary"]),
        },
        "failures": [{"name": name, "reason": reason} for name, reason in failures],
    }


def _count_snippets(resolved: ResolvedStudy, stores: Mapping[str, Store]) -> dict[str, int]:
    """Return the number of snippets of each length."""
    counts = {}
    for length in resolved.study.snippets:
        entries = {
            state.entry.item: len(state.done) for store in stores.values() for state in store.complete_entries(length)
        }
        name = "whole" if length is None else f"{length:g}"
        counts[name] = sum(entries.get(item.item, 0) for item in resolved.manifest.items)
    return counts


def _describe_experiment(selection: Selection) -> dict[str, Any]:
    experiment, task = selection.experiment, selection.experiment.task
    return {
        "name": experiment.name,
        "title": experiment.title,
        "on": task.on,
        "by": task.by,
        "across": task.across,
        "where": dict(experiment.where),
        "different": experiment.different,
        "min_gap_s": experiment.min_gap_s,
        "classify": experiment.classify,
        "snippets": experiment.snippets,
        "recordings": len(selection.recordings),
        "items": len(selection.items),
        "left_out": selection.left_out,
    }


def _describe_encoder(resolved: ResolvedStudy, name: str, store: Store) -> dict[str, Any]:
    encoder = resolved.encoders[name]
    return {
        **asdict(encoder.info),
        "sha256": encoder.sha256,
        "weights_sha256": encoder.info.sha256,
        "dim": encoder.dim,
        "store": store.root.name,
        "scored_variants": resolved.variants[name],
    }


def _versions() -> dict[str, str]:
    """Return the version of each package that results depend on, if it is installed."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
