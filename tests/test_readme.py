"""The README's commands, run as they stand, from top to bottom, in a fresh folder.

Blocks of shell commands that follow the comment `NOT_RUN` install something or need the network; of these, the
installs and the export are checked (the extras exist, the options parse), and the rest runs.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from abxfast.cli.app import app
from abxfast.cli.demo import STUDY
from abxfast.encoders import find_encoder

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_RUN = "<!-- not run by the test:"
MAX_LINES = 130
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
_BLOCK = re.compile(rf"(?P<mark>{NOT_RUN}[^\n]*-->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
_INSTALL = re.compile(r"python3 -m venv \S+|(?:\S*/)?pip install (?:-e )?'\.\[(?P<extras>[\w,]+)\]'")
_TESTS = re.compile(r"\.venv-test/bin/pytest")
_EXPORT = re.compile(r"abxfast (?P<words>export .*)")


def blocks(*languages):
    """Return the blocks of code in these languages, in order, each with whether it is marked as not run."""
    found = _BLOCK.finditer(README)
    return [(m["language"], m["text"], bool(m["mark"])) for m in found if m["language"] in languages]


def commands(text):
    """Return the commands of a block of shell commands, without comments."""
    lines = re.sub(r"(^|\s)#.*$", "", text, flags=re.MULTILINE).splitlines()
    return [command.strip() for line in lines for command in line.split("&&") if command.strip()]


def check_without_running(command):
    """Check an install or an export; return whether the command is one."""
    if install := _INSTALL.fullmatch(command):
        assert set((install["extras"] or "test").split(",")) <= EXTRAS.keys(), command
        return True
    if export := _EXPORT.fullmatch(command):
        name, *words = export["words"].split()
        typer.main.get_command(app).commands[name].make_context(name, words)
        return True
    return bool(_TESTS.fullmatch(command))


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs a command in a fresh folder in which abxfast is installed, and the folder."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    program = programs / "abxfast"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from abxfast.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "PYTHONUTF8": "1"}

    def call(*words):
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return call, tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="the README's commands are for a POSIX shell")
def test_all_commands_run_from_top_to_bottom(shell):
    call, folder = shell
    outputs = {}
    for language, text, marked in blocks("sh", "python"):
        if language == "python":
            outputs[text] = call(sys.executable, "-c", text)
            continue
        not_run = [command for command in commands(text) if check_without_running(command)]
        assert marked == bool(not_run), f"{text}: {not_run}, but the mark {NOT_RUN!r} says otherwise"
        for command in commands(text):
            if command not in not_run:
                outputs[command] = call("sh", "-euc", command)
        if "abxfast export" in text:  # the file that it would have made
            shutil.copy(find_encoder("mfcc"), folder / re.search(r"-o (\S+\.onnx)", text)[1])
    assert (folder / "results" / "report.html").exists()
    assert "room-hall-1.wav" in (folder / "scores.csv").read_text(encoding="utf-8")
    assert any("distinguishes the rooms" in text for text in outputs.values())


def test_the_study_shown_is_that_of_the_demo():
    [(_, text, _)] = blocks("toml")
    assert STUDY.startswith(text)


def test_it_is_short():
    assert len(README.splitlines()) <= MAX_LINES


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) > 5
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_every_install_names_the_same_extras_as_the_windows_line():
    windows = re.search(r'py -m venv \.venv; \S+pip install "\.\[([\w,]+)\]"', README)
    posix = re.search(r"python3 -m venv \.venv && \S+pip install '\.\[([\w,]+)\]'", README)
    assert windows[1] == posix[1]
