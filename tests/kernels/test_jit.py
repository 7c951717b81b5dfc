"""Where compiled kernels are cached, in processes of their own."""

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
CONFIGURE = "from abxfast.cli.process import configure_process; configure_process(); "
IMPORT_ONLY = "import os; before = dict(os.environ); import abxfast.kernels; print(dict(os.environ) == before)"


@pytest.fixture
def run(tmp_path):
    """Run a program in an empty folder, with a module beside which not even the superuser can write a cache."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "module.py").write_text(MODULE)
    (tmp_path / "code" / "__pycache__").write_text("")
    (tmp_path / "work").mkdir()

    def call(cache, program=MAIN):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        environment |= {"PYTHONPATH": str(tmp_path / "code"), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
        environment |= {"XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache}
        command = [sys.executable, "-c", program]
        process = subprocess.run(
            command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, check=True
        )
        return process.stdout.split()

    return call


@pytest.mark.skipif(sys.platform == "darwin", reason="no variable names the cache folder there")
def test_cached_in_the_users_folder_if_the_package_is_not_writable(run, tmp_path):
    cache = tmp_path / "cache"
    assert run(str(cache)) == ["42", "0"]
    assert list(cache.rglob(f"*twice_{digest(Path(jit.__file__).parent)}*.nbi"))
    assert run(str(cache)) == ["42", "1"]


def test_compiled_in_every_process_if_nothing_is_writable(run, tmp_path):
    (tmp_path / ".cache").write_text("")
    (tmp_path / "file").write_text("")
    (tmp_path / "Library").write_text("")
    assert run(str(tmp_path / "file")) == ["42", "0"]


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="XDG is a standard of other systems")
@pytest.mark.parametrize("cache", ["", "relative"])
def test_program_leaves_no_cache_beside_the_users_files(run, tmp_path, cache):
    """The XDG specification asks to ignore a relative folder."""
    assert run(cache, CONFIGURE + MAIN) == ["42", "0"]
    assert not list((tmp_path / "work").iterdir())
    assert run(cache, CONFIGURE + MAIN) == ["42", "1"]


@pytest.mark.parametrize("cache", ["", "relative"])
def test_library_leaves_the_environment_alone(run, cache):
    assert run(cache, IMPORT_ONLY) == ["True"]


def test_digest_changes_with_any_module(tmp_path):
    """Constants and functions of other modules are compiled in."""
    for name in ("counting", "cosine"):
        (tmp_path / f"{name}.py").write_text("TIE = 1e-12\n")
    before = digest(tmp_path)
    assert digest(tmp_path) == before
    (tmp_path / "cosine.py").write_text("TIE = 2e-12\n")
    assert digest(tmp_path) != before
