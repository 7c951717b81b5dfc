"""Where compiled kernels are kept, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from abxfast.kernels import jit
from abxfast.kernels.jit import digest

MODULE = """
from abxfast.kernels import compiled

@compiled
def twice(x):
    return 2 * x
"""
MAIN = "import module; print(module.twice(21), sum(module.twice.stats.cache_hits.values()))"


@pytest.fixture
def run(tmp_path):
    """Run the module from a folder that nobody can write compiled code to, the superuser neither."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "module.py").write_text(MODULE)
    (tmp_path / "code" / "__pycache__").write_text("")
    (tmp_path / "here").mkdir()

    def call(cache):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        environment |= {"PYTHONPATH": str(tmp_path / "code"), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
        environment |= {"XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache}
        command = [sys.executable, "-c", MAIN]
        done = subprocess.run(
            command, cwd=tmp_path / "here", env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    return call


@pytest.mark.skipif(sys.platform == "darwin", reason="no variable names the cache folder there")
def test_kept_in_the_users_cache_where_the_package_cannot_be_written(run, tmp_path):
    cache = tmp_path / "cache"
    assert run(str(cache)) == ["42", "0"]
    assert list(cache.rglob(f"*twice_{digest(Path(jit.__file__).parent)}*.nbi"))
    assert run(str(cache)) == ["42", "1"]


def test_compiled_anew_where_nothing_can_be_written(run, tmp_path):
    (tmp_path / ".cache").write_text("")
    (tmp_path / "file").write_text("")
    (tmp_path / "Library").write_text("")
    assert run(str(tmp_path / "file")) == ["42", "0"]


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="XDG is of the free systems")
@pytest.mark.parametrize("cache", ["", "relative"])
def test_no_cache_beside_the_users_files(run, tmp_path, cache):
    """A folder that is not absolute is to be ignored, says the XDG specification."""
    assert run(cache) == ["42", "0"]
    assert not list((tmp_path / "here").iterdir())
    assert run(cache) == ["42", "1"]


def test_a_change_in_any_kernel_is_a_change_of_all(tmp_path):
    """What is compiled holds constants and functions of other files."""
    for name in ("count", "cosine"):
        (tmp_path / f"{name}.py").write_text("TIE = 1e-12\n")
    before = digest(tmp_path)
    assert digest(tmp_path) == before
    (tmp_path / "cosine.py").write_text("TIE = 2e-12\n")
    assert digest(tmp_path) != before
