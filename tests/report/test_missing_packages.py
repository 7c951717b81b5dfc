"""Without the extra ``report``: each test runs in a process of its own, in which a package cannot be imported."""

import subprocess
import sys

import pytest
from sample_results import make_results

INSTALL = f'{sys.executable} -m pip install "abxfast[report]"'
NAMES = ["a.wav", "b.wav", "c.wav"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("results"), NAMES, lengths=(1.0,), variants=("a",))


def run(missing, code, *arguments):
    block = f"import sys; sys.modules[{missing!r}] = None\n"
    return subprocess.run(
        [sys.executable, "-c", block + code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_figures_without_matplotlib_say_what_to_install(results):
    code = (
        "from pathlib import Path\n"
        "from abxfast.errors import MissingPackageError\n"
        "from abxfast.report import draw_figures\n"
        "try:\n"
        "    draw_figures(Path(sys.argv[1]))\n"
        "except MissingPackageError as error:\n"
        "    print(error)\n"
    )
    process = run("matplotlib", code, results)
    assert process.stdout == f"figures need matplotlib, which is not installed: {INSTALL}\n"
    assert process.stderr == ""


def test_the_page_needs_no_matplotlib(results):
    code = "from pathlib import Path\nfrom abxfast.report import write_report\nprint(write_report(Path(sys.argv[1])))\n"
    process = run("matplotlib", code, results)
    assert process.stderr == ""
    assert process.stdout == f"{results / 'report.html'}\n"
    assert "c.wav" in (results / "report.html").read_text(encoding="utf-8")


def test_names_that_need_no_matplotlib_work_without_it():
    code = (
        "import numpy as np\n"
        "import abxfast.figures\n"
        "from abxfast.figures import DIVERGING, cluster_order, multidimensional_scaling\n"
        "print(cluster_order(np.full((3, 3), 0.6)).tolist(), sorted(abxfast.figures.__all__) == dir(abxfast.figures))\n"
    )
    process = run("matplotlib", code)
    assert process.stderr == ""
    assert process.stdout == "[0, 1, 2] True\n"


def test_the_page_without_jinja_says_what_to_install(results):
    code = (
        "from pathlib import Path\n"
        "from abxfast.errors import MissingPackageError\n"
        "from abxfast.report import write_report\n"
        "try:\n"
        "    write_report(Path(sys.argv[1]))\n"
        "except MissingPackageError as error:\n"
        "    print(error)\n"
    )
    process = run("jinja2", code, results)
    assert process.stdout == f"the page needs jinja2, which is not installed: {INSTALL}\n"
    assert process.stderr == ""
