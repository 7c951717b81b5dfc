"""What all tests share."""

import os
import sys

import pytest

NEEDED = os.environ.get("ABXFAST_NEEDED", "").split()
"""Words such as ``export``: in CI, a test that skips since it "needs the export …" fails the run."""


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=2, help="Processes that tests/faults kills at random moments.")


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    missed = [report.nodeid for report in skipped for word in NEEDED if f"needs the {word}" in str(report.longrepr)]
    if missed:
        reporter.write_line(f"ABXFAST_NEEDED={' '.join(NEEDED)}, but skipped: {', '.join(missed)}", red=True)
        session.exitstatus = 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Escape what is no text in captured output, such as names that are not UTF-8: workers send reports as UTF-8."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def _environment_is_restored():
    """Keep what the command line sets in its process from reaching other tests."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def run(monkeypatch, capfd):
    """Return a function that runs a command line and returns exit status, stdout and stderr."""
    from abxfast import cli

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["abxfast", *map(str, words)])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code or 0
        out, err = capfd.readouterr()
        return status, out, err

    return call
