"""The report under a reader's hands, in a real browser without a network: sorting, filtering, themes, accessibility."""

import json
import shutil

import numpy as np
import pytest

from mlesearch.analysis.report import write_report
from mlesearch.storage.imported import write_imported
from tests.support.axe import axe_script
from tests.support.edge_studies import study, with_import
from tests.support.synthetic_study import lost, synthetic, write

webdriver = pytest.importorskip("selenium.webdriver")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(DRIVER is None, reason="no chromedriver here")

SMALL = "an unfinished study"
ROWS = 6
SHORTENED = f"""
document.querySelectorAll('details').forEach((folded) => {{ folded.open = true; }});
document.querySelectorAll('tbody').forEach((body) => {{
  [...body.rows].slice({ROWS}).forEach((row) => row.remove());
}});
"""
"""Opens all tables, and leaves a few rows of each: the others are like them, and axe takes long over many cells."""

AXE_S = 300
GRAVE = ("serious", "critical")


def _unfinished():
    tables = synthetic(models=4, tasks=3, seeds=2)
    return lost(tables, (tables.runs["seed"] == 1) & (tables.runs["strategy"] == "gome"), "missing", "")


def _losses():
    """Nothing is lost on all tasks, and one strategy lost what it ran."""
    tables = synthetic(models=3, tasks=3, seeds=2)
    return lost(tables, tables.runs["strategy"] == "mcts")


def _many():
    names = ("random", "greedy", *(f"strategy_{i:02d}" for i in range(9)), "gome")
    return synthetic(models=6, strategies=names, tasks=4, seeds=1, steps=3, simulated=False)


KINDS = {
    "a whole study": lambda: synthetic(models=6, tasks=6, seeds=2, simulated=False, effect=1.4),
    "a simulated study with losses": _losses,
    "an unfinished study": _unfinished,
    "twelve strategies": _many,
    "others beside it": lambda: with_import(study(), "gpt", "aide"),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages, each made when it is first asked for."""
    made = {}

    def page(kind):
        if kind not in made:
            tables = KINDS[kind]()
            folder = write(tables, tmp_path_factory.mktemp("page"))
            for content in tables.imported:
                write_imported(folder, content, own=())
            made[kind] = write_report(folder)
        return made[kind]

    return page


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all of these tests; whatever it asks a network for is on its log."""
    options = webdriver.ChromeOptions()
    profile = tmp_path_factory.mktemp("profile")
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"):
        options.add_argument(word)
    options.add_argument("--window-size=1280,1400")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(AXE_S)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, pages):
    """Opens the page of a kind of study; everything on its log before is dropped."""

    def open_page(kind, theme="system"):
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(pages(kind).as_uri())
        for _ in range(("system", "light", "dark").index(theme)):
            browser.find_element("css selector", ".theme").click()
        return browser

    return open_page


@pytest.fixture(scope="module")
def axe():
    return axe_script()


def _asked_for(driver):
    """Addresses that the page asked for."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize(
    "kind", [kind if kind == SMALL else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_axe_finds_nothing_grave_and_nothing_leaves_the_page(kind, opened, axe, pages):
    for theme in ("light", "dark"):
        driver = opened(kind, theme)
        driver.execute_script(SHORTENED)
        driver.execute_script(axe)
        found = driver.execute_async_script("axe.run().then(arguments[0]);")
        grave = [v for v in found["violations"] if v["impact"] in GRAVE]
        told = [(v["id"], v["nodes"][0]["html"][:120], v["nodes"][0]["failureSummary"][:300]) for v in grave]
        assert told == [], theme
        assert len(found["passes"]) > 10  # it has looked
        assert driver.get_log("browser") == []
        assert set(_asked_for(driver)) == {pages(kind).as_uri()}


def _column(driver, table, place):
    cells = f"[...document.querySelectorAll('#t-{table} tbody tr')].filter((r) => !r.hidden)"
    return driver.execute_script(f"return {cells}.map((r) => r.cells[{place}].firstChild.textContent);")


def test_a_click_on_a_heading_sorts_by_numbers_and_by_words(opened):
    driver = opened("a whole study")
    heads = driver.find_elements("css selector", "#t-medals thead button")
    heads[2].click()
    rates = [_rate(text) for text in _column(driver, "medals", 2)]
    assert rates == sorted(rates)
    assert rates[0] < rates[-1]
    heads[2].click()
    falling = [_rate(text) for text in _column(driver, "medals", 2)]
    assert falling == sorted(rates, reverse=True)
    heads[1].click()
    names = _column(driver, "medals", 1)
    assert names == sorted(names)
    assert driver.find_elements("css selector", "#t-medals th[aria-sort=ascending]")[0].text.startswith("strategy")
    assert driver.get_log("browser") == []


def _rate(text):
    return float(text.split(" ")[0])


def test_rows_are_filtered_by_words_and_counted(opened):
    driver = opened("a whole study")
    field = driver.find_element("css selector", "#medals .tools input")
    assert field.get_attribute("aria-label").startswith("filter rows, table: ")
    field.send_keys("GOME 01")
    assert _column(driver, "medals", 1) == ["gome"]
    assert driver.find_element("css selector", "#medals .tools span").text == "1 of 24 rows"
    field.clear()
    field.send_keys(" ")
    assert len(_column(driver, "medals", 1)) == 24


def test_a_long_table_scrolls_until_all_of_it_is_asked_for(opened):
    driver = opened("a whole study")
    box = driver.find_element("css selector", "#medals .scroll")
    high = box.size["height"]
    assert high < 600
    driver.find_element("css selector", "#medals .tools button").click()
    assert box.size["height"] > 1.4 * high
    assert driver.find_elements("css selector", "#medals .tools button") == []


def test_the_theme_is_chosen_on_the_page(opened):
    driver = opened("an unfinished study")
    seen = {}
    for theme in ("light", "dark", "system"):
        driver.find_element("css selector", ".theme").click()
        button = driver.find_element("css selector", ".theme")
        assert button.text == f"Theme: {theme}"
        colours = driver.execute_script(
            "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color, s.colorScheme];"
        )
        seen[theme] = np.array([int(v) for v in colours[0].strip("rgba()").split(",")[:3]]).mean()
    assert seen["light"] > 200
    assert seen["dark"] < 60
    assert driver.get_log("browser") == []


def test_every_folded_table_has_a_title_of_its_own(opened):
    driver = opened("a whole study")
    titles = driver.execute_script(
        "return [...document.querySelectorAll('summary, .heading')].map((e) => e.textContent);"
    )
    titles = [" ".join(title.split()) for title in titles]
    assert [t.split(".")[0] for t in titles] == [f"Table {n}" for n in range(1, len(titles) + 1)]
    assert len({t.split(". ")[1] for t in titles}) == len(titles)
