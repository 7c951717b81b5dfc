"""The commands init, plan and run, one after the other."""

import subprocess
import sys


def test_the_commands_report_an_error_in_one_line_and_run_what_is_correct(manifest, tmp_path):
    def call(*arguments):
        program = "from abxfast.cli.app import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False,
        )  # fmt: skip

    done = call("init", manifest, "--design", "recording-conditions")
    assert done.returncode == 0, done.stderr
    study = tmp_path / "study.toml"
    text = study.read_text(encoding="utf-8").replace('"microphone"\n', '"microfone"\n')
    study.write_text(text, encoding="utf-8")
    for command in ("plan", "run"):
        done = call(command, study)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "did you mean 'microphone'?" in done.stderr
        assert not (tmp_path / "results").exists()
    study.write_text(text.replace("microfone", "microphone").replace("10000", "50"), encoding="utf-8")
    done = call("plan", study)
    assert done.returncode == 0, done.stderr
    assert "recordings  8," in done.stdout
    done = call("run", study, "--no-report", "--excel")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "tables" / "pairs.csv").read_bytes().startswith(b"\xef\xbb\xbf")
