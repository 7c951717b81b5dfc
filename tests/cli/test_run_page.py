"""What ``abxfast run`` says and does about the page at its end."""

import webbrowser

import pytest
from typer.testing import CliRunner

import abxfast.study
from abxfast.cli.app import app
from abxfast.study import RunReport


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command on a study that is finished at once; return its result, the arguments, and what was opened."""
    opened, received = [], {}
    page = tmp_path / "results" / "report.html"

    def run_study(_study, results, **more):
        received.update(more)
        return RunReport(results, page=page if more["report"] else None, steps=1)

    monkeypatch.setattr(abxfast.study, "run_study", run_study)
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    monkeypatch.setattr("abxfast.cli.study_commands.configure_process", lambda: None)

    def call(*arguments):
        result = CliRunner().invoke(app, ["run", "study.toml", "-o", str(tmp_path / "results"), *arguments])
        return result, received, opened

    call.page = page
    return call


def test_it_ends_with_the_path_of_the_page(run, caplog):
    result, received, opened = run()
    assert result.exit_code == 0, result.output
    assert caplog.messages[-1] == f"page: {run.page}"
    assert not received["embed_audio"]
    assert opened == []


def test_it_opens_the_page_and_embeds_audio_if_asked_to(run):
    result, received, opened = run("--open", "--embed-audio")
    assert result.exit_code == 0, result.output
    assert opened == [run.page.as_uri()]
    assert received["embed_audio"]


def test_both_need_the_page(run):
    for option in ("--open", "--embed-audio"):
        result, _, opened = run(option, "--no-report")
        assert result.exit_code == 2
        assert "leave out --no-report" in result.output
        assert opened == []
