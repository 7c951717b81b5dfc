"""Importing or calling the library changes nothing in its process, and scoring needs no audio library."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]

PROCESS_STATE = """\
import logging, os
import pyarrow as pa  # its pool depends on the environment at its own import

def process_state():
    return dict(os.environ), pa.default_memory_pool().backend_name, list(logging.root.handlers)

before = process_state()
"""
COMPARE = """\
environment, *state = process_state()
assert environment == before[0], environment.items() ^ before[0].items()
assert state == list(before[1:]), (state, before[1:])
print("unchanged")
"""
IMPORT_PUBLIC_NAMES = """\
import contextlib, importlib
from abxfast.errors import MissingPackageError
package = importlib.import_module({package!r})
for name in getattr(package, "__all__", []):
    with contextlib.suppress(MissingPackageError):  # of the exporter
        getattr(package, name)
"""
SCORE = """\
import numpy as np
from abxfast import score_embeddings
vectors = np.random.default_rng(0).standard_normal((12, 4))
scores = score_embeddings(vectors, {"kind": list("aabbccaabbcc")}, on="kind", threads=2)
assert scores.table.num_rows == 6
"""
EMBED = """\
import abxfast
from abxfast.synthetic_speech import write_corpus
manifest = write_corpus({folder!r}, seconds=2.0)
report = abxfast.embed(manifest, {folder!r} / "demo.store", snippets=[1])
assert not report.failures
"""
WITHOUT_AUDIO_LIBRARIES = """\
import sys
sys.modules["soundfile"] = sys.modules["soxr"] = None
"""


def run_python(*parts):
    """Run code in a fresh process and return the last line that it prints."""
    code = "\n".join(parts)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().rpartition("\n")[2]


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_every_public_name_changes_nothing(package):
    optional = {"abxfast.figures": "matplotlib", "abxfast.report": "jinja2"}
    if package in optional:
        pytest.importorskip(optional[package], reason="needs the report extra")
    assert run_python(PROCESS_STATE, IMPORT_PUBLIC_NAMES.format(package=package), COMPARE) == "unchanged"


def test_scoring_changes_nothing():
    assert run_python(PROCESS_STATE, SCORE, COMPARE) == "unchanged"


def test_embedding_changes_nothing(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the cpu extra")
    embed = "from pathlib import Path\n" + EMBED.replace("{folder!r}", f"Path({str(tmp_path)!r})")
    assert run_python(PROCESS_STATE, embed, COMPARE) == "unchanged"


def test_a_change_is_noticed():
    """The command line may set the pool; the comparison above sees it."""
    change = "pa.set_memory_pool(pa.system_memory_pool())"
    with pytest.raises(AssertionError, match="system"):
        run_python(PROCESS_STATE, change, COMPARE)
    with pytest.raises(AssertionError, match="ABXFAST_CHANGE"):
        run_python(PROCESS_STATE, "os.environ['ABXFAST_CHANGE'] = '1'", COMPARE)


def test_scoring_arrays_needs_no_audio_library():
    assert run_python(WITHOUT_AUDIO_LIBRARIES, SCORE, "print('scored')") == "scored"
    with pytest.raises(AssertionError, match="soundfile"):
        run_python(WITHOUT_AUDIO_LIBRARIES, "from abxfast.audio import probe")
