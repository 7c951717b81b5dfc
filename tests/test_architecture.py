"""The architecture page shows the packages as they are."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "docs" / "draw_architecture.py"


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("draw_architecture", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_drawing_is_that_of_the_code(drawing):
    current = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert current == drawing.draw(), "run: python docs/draw_architecture.py"


def test_every_package_says_what_it_is_for_and_has_public_names(drawing):
    folders = [path.parent.name for path in (ROOT / "abxfast").glob("*/__init__.py")]
    assert len(folders) > 10
    for name in [*folders, "kernels", "export"]:
        summary, names, _ = drawing.describe_package(name)
        assert summary, name
        assert names, name
