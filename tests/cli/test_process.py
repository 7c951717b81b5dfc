"""What the program sets in its own process, and nothing else does."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, pathlib, sys
before = dict(os.environ) | {'ARROW_DEFAULT_MEMORY_POOL': 'system'}
from abxfast.cli.process import configure_process
configure_process()
import pyarrow as pa
from numba import config
assert dict(os.environ) == before
print(pa.default_memory_pool().backend_name, config.CACHE_DIR)
"""


@pytest.mark.parametrize(("folder", "expected"), [("relative", "numba"), ("/absolute", "")])
def test_the_program_sets_its_memory_pool_and_a_usable_cache(folder, expected, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=tmp_path)
    pool, _, cache = run.stdout.strip().partition(" ")
    assert pool == "system"
    assert cache.endswith(expected)
    assert bool(cache) == bool(expected)
    assert list(tmp_path.iterdir()) == []
