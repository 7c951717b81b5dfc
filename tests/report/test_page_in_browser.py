"""The page of a study in a real browser, from disk: errors, requests, tooltips, sorting, playback, hostile names."""

import json
import os
import shutil
import struct
import wave

import pytest
from sample_results import make_results

from abxfast.report import draw_figures, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs the browser: apt-get install chromium chromium-driver"
)

HOSTILE = [
    "</script><script>window.pwned=1</script>.wav",
    "\"'><img src=x onerror=window.pwned=1>.wav",
    "{{7*7}} ${7*7} <svg onload=window.pwned=1>\u2028\u2029.wav",
    "javascript:window.pwned=1//.wav",
    "-->]]><!--\x07 &lt;b&gt; $x^2$ \u202egnp.wav",
]
NAMES = [f"tales/sister-{number} ŋɑ˧ 姐妹.wav" for number in range(1, 5)]


def write_wav(path, seconds=6):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", 3000 * ((n // 20) % 2)) for n in range(8000 * seconds)))


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    flags = ["--headless=new", "--disable-dev-shm-usage", "--window-size=1280,1000", "--no-first-run"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # chromium's sandbox refuses root, which CI is
    for flag in [*flags, "--mute-audio", "--disable-background-networking"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def make_page(folder, names, **more):
    results = make_results(folder / "results", names, **more)
    draw_figures(results)
    return write_report(results)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "mit Leerzeichen & 100 %"
    for name in NAMES:
        write_wav(folder / name)
    return make_page(folder, NAMES, lengths=(1.0, 2.0))


def open_page(browser, page):
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    return {kind: browser.get_log(kind) for kind in ("browser", "performance")}


def requests(log):
    messages = [json.loads(entry["message"])["message"] for entry in log]
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]


def show(browser, element):
    """Scroll to an element, and wait until the page has handled the scroll event, which hides the tooltip."""
    browser.execute_async_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'});"
        "const done = arguments[1]; requestAnimationFrame(() => requestAnimationFrame(() => done()))",
        element,
    )


def find(browser, selector):
    return browser.find_element("css selector", selector)


def unfold(browser):
    browser.execute_script("for (const details of document.querySelectorAll('details')) details.open = true;")


def test_a_phone_scrolls_vertically_only(browser, page):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        open_page(browser, page)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_opens_without_an_error_or_a_request(browser, page):
    logs = open_page(browser, page)
    assert logs["browser"] == []
    requested = [url for url in requests(logs["performance"]) if not url.startswith("data:")]
    assert requested == [page.as_uri()]
    assert len(browser.find_elements("css selector", "table.matrix td[data-pair]")) == len(NAMES) * (len(NAMES) - 1)
    broken = browser.execute_script(
        "return [...document.images].filter(i => i.offsetParent && i.complete && !i.naturalWidth).length"
    )
    assert broken == 0


def test_hover_and_focus_show_the_interval(browser, page):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    open_page(browser, page)
    cell = find(browser, "table.matrix td[data-row='0'][data-column='1']")
    tooltip = find(browser, "#tooltip")
    assert not tooltip.is_displayed()
    show(browser, cell)
    ActionChains(browser).move_to_element(cell).perform()
    names = [name.get_attribute("title") for name in browser.find_elements("css selector", "table.matrix tbody th")]
    score, low, high = _expected(page.parent, names[0], names[1])
    assert tooltip.is_displayed()
    assert f"A, X: {names[0]}" in tooltip.text
    assert f"[{low:.2f}, {high:.2f}]" in tooltip.text
    assert tooltip.text.split(" in this direction")[0].splitlines()[-1] == f"{score:.2f}" == cell.text
    browser.execute_script("arguments[0].focus()", cell)
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert f"B: {names[2]}" in tooltip.text


def _expected(results, a, b):
    import pyarrow.parquet as pq

    for row in pq.read_table(results / "tables" / "pairs.parquet").to_pylist():
        if row["variant"] == "layer21.mean" and row["snippet_s"] == 2.0:
            if (row["a"], row["b"]) == (a, b):
                return row["score_ab"], row["low"], row["high"]
            if (row["b"], row["a"]) == (a, b):
                return row["score_ba"], row["low"], row["high"]
    raise AssertionError


def test_every_column_sorts_by_click_and_by_key(browser, page):
    from selenium.webdriver.common.keys import Keys

    open_page(browser, page)
    unfold(browser)
    for table, title in (("pairs", "score"), ("self_baselines", "alternating blocks")):
        buttons = browser.find_elements("css selector", f"table[data-table={table}] thead button")
        number = [button.text for button in buttons].index(title)

        def column(table=table, number=number):
            cells = f"table[data-table={table}] tbody td:nth-child({number + 1})"
            return [float(cell.text) for cell in browser.find_elements("css selector", cells)]

        unsorted = column()
        browser.execute_script("arguments[0].click()", buttons[number])
        assert column() == sorted(unsorted)
        buttons[number].send_keys(Keys.ENTER)
        assert column() == sorted(unsorted, reverse=True)
        head = find(browser, f"table[data-table={table}] thead th:nth-child({number + 1})")
        assert head.get_attribute("aria-sort") == "descending"


def test_another_length_shows_another_matrix(browser, page):
    open_page(browser, page)
    before = [cell.text for cell in browser.find_elements("css selector", "table.matrix td")]
    button = next(b for b in browser.find_elements("css selector", "button[data-field=length]") if b.text == "1 s")
    button.click()
    assert [cell.text for cell in browser.find_elements("css selector", "table.matrix td")] != before
    focused = browser.switch_to.active_element
    assert (focused.text, focused.get_attribute("aria-pressed")) == ("1 s", "true")


def test_playback_stops_at_the_end_of_the_snippet(browser, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    names = ["a#1 %41 姐妹?.wav", "b ŋɑ˧.wav"]
    for name in names:
        write_wav(tmp_path / name)
    page = make_page(tmp_path, names, lengths=(1.0,), listen_at=(2.0, 3.5))
    open_page(browser, page)
    button = find(browser, ".listen button.play")
    show(browser, button)
    button.click()
    position = "return document.querySelector('#player audio').currentTime"
    WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(position) > 2.2)
    paused = "return document.querySelector('#player audio').paused"
    WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(paused))
    assert browser.execute_script(position) == pytest.approx(3.0, abs=0.3)
    assert find(browser, "#player .interval").text == "0:02.0 to 0:03.0"
    assert find(browser, "#player .error").text == ""
    logs = browser.get_log("performance")
    assert all(url.startswith(("file:", "data:")) for url in requests(logs))
    assert browser.get_log("browser") == []


def test_a_missing_file_is_reported(browser, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(browser, make_page(tmp_path, ["gone.wav", "also gone.wav"], lengths=(1.0,)))
    button = find(browser, ".listen button.play")
    show(browser, button)
    button.click()
    WebDriverWait(browser, 20).until(lambda _: find(browser, "#player .error").text)
    assert "no longer at ../gone.wav" in find(browser, "#player .error").text


def test_hostile_names_are_shown_as_text(browser, tmp_path):
    attack = "<script>window.pwned=1</script><b id=injected>"
    more = {
        "title": attack,
        "note": attack,
        "labels": (attack, HOSTILE[1]),
        "experiment": HOSTILE[0],
        "encoders": [HOSTILE[1]],
    }
    page = make_page(tmp_path, HOSTILE, lengths=(1.0,), variants=(f"{attack}.max", "x.mean"), paths=HOSTILE, **more)
    logs = open_page(browser, page)
    assert logs["browser"] == []
    browser.execute_script(
        "const targets = document.querySelectorAll('td[data-pair], button:not(.copy)');"
        "for (const target of targets) { target.focus(); target.click(); }"
    )
    assert browser.execute_script("return window.pwned") is None
    assert browser.find_elements("css selector", "#injected, body svg, img[src='x'], script[src]") == []
    assert browser.title == attack
    assert find(browser, "h1").text == attack
    shown = {name.get_attribute("title") for name in browser.find_elements("css selector", "table.matrix tbody th")}
    assert shown == set(HOSTILE)
    requested = requests(browser.get_log("performance"))
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    urls = browser.execute_script("return JSON.parse(document.getElementById('data').textContent).urls")
    assert set(urls) == set(HOSTILE)
    schemes = browser.execute_script("return arguments[0].map(u => new URL(u, location).protocol)", list(urls.values()))
    assert set(schemes) == {"file:"}


def test_a_page_of_a_hundred_recordings_opens(browser, tmp_path):
    names = [f"na/{number:03d} 山歌.wav" for number in range(100)]
    results = make_results(tmp_path / "results", names, lengths=(10.0,), variants=("layer21.max",))
    logs = open_page(browser, write_report(results))
    assert logs["browser"] == []
    assert len(browser.find_elements("css selector", "table.matrix td[data-pair]")) == 9900
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_have_enough_contrast(browser, page, theme):
    """The contrast of every text is at least 4.5, as WCAG 2 requires."""
    setting = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", setting)
    try:
        open_page(browser, page)
        worst = browser.execute_script(CONTRAST)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert worst[0] >= 4.5, worst


def test_a_finding_leads_to_its_matrix(browser, page):
    open_page(browser, page)
    find(browser, "button[data-field=length]").click()
    link = find(browser, ".findings a")
    browser.execute_script("arguments[0].click()", link)
    views = browser.execute_script("return JSON.parse(document.getElementById('data').textContent).views")
    view = views[int(link.get_attribute("data-view"))]
    assert f"{view['encoder']}, {view['variant']}, {view['length']}" in find(browser, "h3.scores").text
    top = browser.execute_script("return document.querySelector('h3.scores').getBoundingClientRect().top")
    assert 0 <= top < 1000


def test_many_variants_are_chosen_in_a_grid_of_layers_and_poolings(browser, tmp_path):
    variants = [f"layer{layer}.{pooling}" for layer in range(1, 13) for pooling in ("max", "mean")]
    results = make_results(tmp_path / "results", NAMES, lengths=(1.0, 2.0), variants=variants)
    open_page(browser, write_report(results))
    grid = find(browser, "table.variants")
    heads = [head.text for head in grid.find_elements("css selector", "thead th")]
    assert heads == ["", *(f"layer{layer}" for layer in range(1, 13))]
    button = grid.find_elements("css selector", "tbody tr:nth-child(2) button")[6]
    browser.execute_script("arguments[0].click()", button)
    assert "layer7.mean" in find(browser, "h3.scores").text
    pressed = browser.find_elements("css selector", "table.variants button[aria-pressed=true]")
    assert [button.get_attribute("title").partition(":")[0] for button in pressed] == ["layer7.mean"]
    assert len(browser.find_elements("css selector", "table.matrix td[data-pair]")) == len(NAMES) * (len(NAMES) - 1)


@pytest.mark.parametrize(
    ("shares", "headings"),
    [
        ({"most": 1.0, "least": 1.0}, ["All snippets are discriminated equally often (1.00)"]),
        ({"most": 0.999, "least": 0.996}, ["All snippets are discriminated equally often (1.00)"]),
        ({"most": 0.9, "least": 0.2}, ["Discriminated most often", "Discriminated least often"]),
    ],
)
def test_the_listening_list_says_what_it_has(browser, tmp_path, shares, headings):
    import pyarrow as pa
    import pyarrow.parquet as pq

    results = make_results(tmp_path / "results", NAMES[:2], lengths=(1.0,), variants=("a",))
    path = results / "tables" / "listening.parquet"
    rows = pq.read_table(path)
    share = pa.array([shares[role] for role in rows["role"].to_pylist()])
    pq.write_table(rows.set_column(rows.column_names.index("share"), "share", share), path)
    open_page(browser, write_report(results))
    assert [heading.text for heading in browser.find_elements("css selector", ".listen h4")] == headings


def test_embedded_clips_play_where_the_recordings_are_not(browser, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    names = ["a.wav", "b.wav"]
    for name in names:
        write_wav(tmp_path / "study" / name)
    results = make_results(tmp_path / "study" / "results", names, lengths=(2.0,), listen_at=(1.0, 3.5))
    page = write_report(results, embed_audio=True)
    moved = tmp_path / "elsewhere.html"
    moved.write_bytes(page.read_bytes())
    shutil.rmtree(tmp_path / "study")
    open_page(browser, moved)
    button = find(browser, ".listen button.play")
    show(browser, button)
    button.click()
    position = "return document.querySelector('#player audio').currentTime"
    WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(position) > 1.5)
    assert find(browser, "#player .error").text == ""
    requested = requests(browser.get_log("performance"))
    assert all(url.startswith("data:") or url == moved.as_uri() for url in requested)
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [1100, 1200])
def test_no_table_is_clipped_on_a_desktop(browser, page, width):
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        open_page(browser, page)
        unfold(browser)
        clipped = browser.execute_script(
            "return [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth + 1)"
            ".map(box => box.getAttribute('aria-label'))"
        )
        assert clipped == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_table_that_scrolls_on_a_phone_says_so(browser, page):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        open_page(browser, page)
        unfold(browser)
        browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        hinted = browser.execute_script(
            "return [...document.querySelectorAll('.scroll, .figurebox')].filter(box => box.offsetParent)"
            ".map(box => [box.scrollWidth > box.clientWidth + 1, !box.previousElementSibling.hidden])"
        )
        assert [True, True] in hinted
        assert all(scrolls == hint for scrolls, hint in hinted)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


CONTRAST = """
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const background = (element) => {
  for (let ancestor = element; ancestor; ancestor = ancestor.parentElement) {
    const rgb = parse(getComputedStyle(ancestor).backgroundColor);
    if (rgb.length === 3 || rgb[3] === 1) return rgb.slice(0, 3);
  }
  return [255, 255, 255];
};
let worst = [99, ''];
for (const element of document.querySelectorAll('p, td, th, li, dt, dd, h1, h2, h3, figcaption, button, a')) {
  if (!element.offsetParent || !element.textContent.trim()) continue;
  const [a, b] = [luminance(parse(getComputedStyle(element).color).slice(0, 3)), luminance(background(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const description = element.tagName + ' ' + element.className + ' ' + element.textContent.slice(0, 40);
  if (ratio < worst[0]) worst = [ratio, description];
}
return worst;
"""
