"""Where results come from: versions, hashes, encoders, the plan."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from abxfast._version import __version__
from abxfast.study.results_folder import FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abxfast.results import Row
    from abxfast.store import Store
    from abxfast.study.selection import ResolvedStudy

_TOOLS = ("numpy", "scipy", "numba", "pyarrow", "soundfile", "soxr", "onnxruntime", "onnxruntime-gpu")


def describe_run(
    material: ResolvedStudy,
    stores: Mapping[str, Store],
    rows: Mapping[str, Sequence[Row]],
    failures: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Say what was run, and on what; nothing that differs from one run to the next."""
    study = material.study
    snippets: dict[str, int] = {}
    for length in study.snippets:
        entries = {state.entry.item: len(state.done) for store in stores.values() for state in store.complete(length)}
        snippets["whole" if length is None else f"{length:g}"] = sum(
            entries.get(item.item, 0) for item in material.manifest.items
        )
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
        "tools": {"python": platform.python_version(), **_versions()},
        "encoders": [_describe_encoder(material, name, store) for name, store in stores.items()],
        "experiments": [
            {
                "name": selection.experiment.name,
                "title": selection.experiment.title,
                "on": selection.experiment.task.on,
                "by": selection.experiment.task.by,
                "across": selection.experiment.task.across,
                "where": dict(selection.experiment.where),
                "different": selection.experiment.different,
                "min_gap_s": selection.experiment.min_gap_s,
                "classify": selection.experiment.classify,
                "snippets": selection.experiment.snippets,
                "recordings": len(selection.recordings),
                "items": len(selection.items),
                "left_out": selection.left_out,
            }
            for selection in material.selections
        ],
        "plan": {
            "recordings": len(rows["recordings"]),
            "audio_s": sum(row["seconds"] or 0.0 for row in rows["recordings"]),
            "snippets": snippets,
            "cells": sum(row["cells"] for row in rows["summary"]),
            "triplets": sum(row["triplets"] for row in rows["summary"]),
        },
        "failures": [{"name": name, "reason": reason} for name, reason in failures],
    }


def _describe_encoder(material: ResolvedStudy, name: str, store: Store) -> dict[str, Any]:
    encoder = material.encoders[name]
    info = asdict(encoder.info)
    return {
        **info,
        "sha256": encoder.sha256,
        "weights_sha256": encoder.info.sha256,
        "dim": encoder.dim,
        "store": store.root.name,
        "scored_variants": material.variants[name],
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
