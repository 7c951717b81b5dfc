"""The documentation: its commands, studies and programs are right, and the site needs no network."""

import importlib.util
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import onnx
import pytest
import typer

import abxfast
import abxfast.statistics
from abxfast.cli.app import app
from abxfast.encoders import EncoderInfo, open_encoder
from abxfast.results import TABLES
from abxfast.study.config import read_study
from abxfast.study.keys import EXPERIMENT_KEYS, STUDY_KEYS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}


def blocks(language):
    """Return the pages and texts of all blocks of code in a language."""
    return [
        (name, text)
        for name, page in PAGES.items()
        for text in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    ]


def commands():
    """Return the command lines of abxfast in all pages."""
    lines = [(name, line) for name, text in blocks("sh") for line in text.splitlines()]
    return [
        pytest.param(command.strip(), id=f"{name}: {command.strip()}")
        for name, line in lines
        for command in re.sub(r"\s#.*", "", line).split("&&")
        if re.match(r"\s*abxfast ", command)
    ]


@pytest.mark.parametrize("command", commands())
def test_each_command_has_the_options_of_the_program(command):
    _, name, *words = command.split()
    typer.main.get_command(app).commands[name].make_context(name, words)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in blocks("toml") if "[study]" in text])
def test_each_study_can_be_read(text, tmp_path):
    manifest = re.search(r'manifest = "(.*)"', text)[1]
    (tmp_path / manifest).write_text("path\n", encoding="utf-8")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    assert read_study(tmp_path / "study.toml").experiments


def test_the_example_of_an_encoder_keeps_the_contract(tmp_path, monkeypatch):
    program = next(text for name, text in blocks("python") if name == "howto/own-encoder.md" and "onnx.save" in text)
    monkeypatch.chdir(tmp_path)
    exec(program, {})  # noqa: S102
    encoder = open_encoder("filters.onnx")
    assert encoder.info.variants == ("filters.max",)
    assert encoder.dim == 50
    onnx.checker.check_model(onnx.load("filters.onnx"))


def test_the_example_with_arrays_runs():
    program = next(text for _, text in blocks("python") if "score_embeddings" in text)
    names = {}
    exec(program, names)  # noqa: S102
    assert names["scores"].table.num_rows == 6


# -- the pages made from the program


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_pages", DOCS / "reference_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: write() for name, write in module.PAGES.items()}


def rows(page):
    """Return the first cells of all tables of a page, without backticks."""
    return re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)


def test_the_reference_has_every_option_of_every_command(reference):
    page = reference["reference/commands.md"]
    for name, command in typer.main.get_command(app).commands.items():
        section = page.partition(f"## abxfast {name} ")[2].partition("\n## ")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert f"`{parameter.opts[-1]}`" in section, (name, parameter.name)
                assert (parameter.help or "").partition(" [default")[0] in section


def test_the_reference_has_every_key_of_a_study_and_every_column(reference):
    assert rows(reference["reference/study.md"]) == [*STUDY_KEYS, *EXPERIMENT_KEYS]
    assert rows(reference["reference/tables.md"]) == [column for schema in TABLES.values() for column in schema.columns]


def test_the_reference_has_every_public_function_and_class(reference):
    for module, page in ((abxfast, "reference/python.md"), (abxfast.statistics, "reference/statistics.md")):
        for name in module.__all__:
            if callable(getattr(module, name)):
                assert f"\n::: {module.__name__}.{name}\n" in reference[page]


def test_the_reference_explains_every_key_of_an_encoder(reference):
    page = reference["reference/encoder-contract.md"]
    info = EncoderInfo("a", ("a.max",), "a.max", 16_000, 400, 160, "none", "fp32", most_samples=480_000)
    assert rows(page) == list(info.to_metadata())
    for line in page.splitlines():
        if line.startswith("| `"):
            assert len(line.split("|")[3].strip()) > 10, line


# -- the site


class Page(HTMLParser):
    """The links, resources and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.resources, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors.update(attributes[name] for name in ("id", "name") if attributes.get(name))
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag == "link" and attributes.get("rel") not in ("canonical", "next", "prev"):
            self.resources.append(attributes.get("href", ""))
        elif tag != "a" and attributes.get("src"):
            self.resources.append(attributes["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built with warnings as errors from a copy of what it is made of."""
    if importlib.util.find_spec("zensical") is None or importlib.util.find_spec("mkdocstrings") is None:
        pytest.skip("needs the docs extra: pip install '.[test,docs]'")
    copy = tmp_path_factory.mktemp("project")
    for name in ("docs", "benchmarks", "abxfast"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, copy / "docs" / "build.py"], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return copy / "build" / "site"


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_the_site_loads_nothing_from_elsewhere(site, pages):
    assert len(pages) > 15
    for path, page in pages.items():
        for resource in page.resources:
            assert not urlsplit(resource).netloc, f"{path.name} loads {resource}"
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", text), f"{path.name} loads from elsewhere"


def test_every_link_and_resource_of_the_site_leads_somewhere(pages):
    for path, page in pages.items():
        if path.name == "404.html":  # its links are absolute, for a server
            continue
        for link in [*page.links, *page.resources]:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert target.exists(), f"{path.name}: {link}"
            if url.fragment and target in pages:
                assert unquote(url.fragment) in pages[target].anchors, f"{path.name}: {link}"


def test_every_page_of_the_documentation_is_in_the_site(site):
    for name in PAGES:
        assert (site / name).with_suffix(".html").exists(), name


@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs the browser: apt-get install chromium chromium-driver",
)
def test_the_search_works_from_a_disk(site):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get((site / "index.html").as_uri())
        body = driver.find_element(By.TAG_NAME, "body")
        body.send_keys(Keys.CONTROL, "k")
        WebDriverWait(driver, 30).until(lambda driver: driver.switch_to.active_element.tag_name != "body")
        driver.switch_to.active_element.send_keys("drift")
        WebDriverWait(driver, 30).until(lambda _: "voice tires" in _visible_text(driver))
    finally:
        driver.quit()


def _visible_text(driver):
    """Return the text of the page, with that of its shadow roots."""
    return driver.execute_script(
        "const text = node => node.innerText + [...node.querySelectorAll('*')]"
        ".filter(child => child.shadowRoot).map(child => text(child.shadowRoot.firstElementChild)).join(' ');"
        "return text(document.body)"
    )
