"""What this installation has, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from importlib.metadata import version

from abxfast._threads import usable_threads
from abxfast.audio import libsndfile_version
from abxfast.encoders import available_providers, encoders_folder, installed_runtimes
from abxfast.errors import AbxfastError


@dataclass
class Diagnosis:
    """Findings as pairs of a word and a value, and problems as sentences that say what to do."""

    findings: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def diagnose() -> Diagnosis:
    """Look at versions, runtimes, providers, folders and threads."""
    found = Diagnosis()
    found.findings += [
        ("abxfast", version("abxfast")),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("processors", f"{usable_threads()} usable of {os.cpu_count()}"),
    ]
    for name in ("numpy", "numba", "pyarrow", "soundfile", "soxr", "typer"):
        found.findings.append((name, version(name)))
    found.findings.append(("libsndfile", libsndfile_version()))
    installed = installed_runtimes()
    found.findings.append(("onnxruntime", ", ".join(f"{k} {v}" for k, v in installed.items()) or "none"))
    if len(installed) > 1:
        found.problems.append(
            f"{' and '.join(installed)} are both installed and overwrite each other; "
            f"{sys.executable} -m pip uninstall {' '.join(installed)}, then install one of the extras cpu and gpu"
        )
    try:
        found.findings.append(("providers", ", ".join(available_providers())))
    except AbxfastError as error:
        found.problems.append(str(error))
    folder = encoders_folder()
    named = sorted(file.stem for file in folder.glob("*.onnx"))
    found.findings.append(("encoders", ", ".join(["mfcc", *named]) + f" (your own: {folder})"))
    return found
