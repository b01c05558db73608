"""The report in a real browser: nothing is cut in print, and what scrolls on a phone can be reached by the keyboard."""

import json
import re
import shutil
import subprocess

import pytest

from mlesearch.analysis.report import write_report
from tests.support.synthetic_study import lost, synthetic, write

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here")

A4_PX = round((210 - 2 * 12) / 25.4 * 96)
"""The printed width of a page of A4 with the margins that the page asks for."""

MEASURE = """
<script>
const boxes = [...document.querySelectorAll(".scroll, .plot-box")].map((box) => ({
  name: box.getAttribute("aria-label"), needs: box.scrollWidth, has: box.clientWidth,
  focus: box.tabIndex === 0 && box.getAttribute("role") === "region" && Boolean(box.getAttribute("aria-label")),
  clipped: getComputedStyle(box).overflowX !== "visible",
}));
const outside = [...document.body.children].filter((e) =>
  !["HEADER", "MAIN", "ASIDE", "NAV", "FOOTER", "SCRIPT"].includes(e.tagName) && !e.classList.contains("skip"));
const found = {boxes, width: document.documentElement.scrollWidth, outside: outside.map((e) => e.tagName)};
document.title = "measured " + JSON.stringify(found);
</script>
</body>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A demo-like study in which one arm lost its runs, so that every table is there, all of them open."""
    tables = synthetic(models=3, tasks=3, seeds=2)
    folder = write(lost(tables, tables.runs["strategy"] == "mcts"), tmp_path_factory.mktemp("browser"))
    return write_report(folder).read_text(encoding="utf-8").replace("<details>", "<details open>")


def measured(page, folder, width):
    file = folder / "page.html"
    file.write_text(page.replace("</body>", MEASURE), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
    # a window has a least width, so the page is looked at in a frame of the width that is asked for
    frame = folder / "frame.html"
    told = "document.title = f.contentDocument.title"
    frame.write_text(
        f'<iframe id="f" src="page.html" style="width:{width}px;height:3000px;border:0"></iframe>'
        f'<script>const f = document.getElementById("f"); f.onload = () => {{ {told}; }};</script>'
    )
    words = [BROWSER, *flags, "--allow-file-access-from-files", "--dump-dom", frame.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    title = re.search(r"<title>measured (.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr[-500:]
    return json.loads(title[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def test_no_column_is_cut_in_print(page, tmp_path):
    printed = page.replace("@media print {", "@media all {")
    found = measured(printed, tmp_path, A4_PX)
    assert len(found["boxes"]) >= 14
    assert [box for box in found["boxes"] if box["needs"] > box["has"] or box["clipped"]] == []
    assert found["width"] <= A4_PX


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_fits_and_what_scrolls_has_focus(width, page, tmp_path):
    found = measured(page, tmp_path, width)
    assert found["width"] <= width  # the page itself never scrolls sideways
    assert all(box["focus"] for box in found["boxes"])
    if width == 390:
        assert any(box["needs"] > box["has"] for box in found["boxes"])  # some do scroll, or nothing was measured
    assert found["outside"] == []
