"""Every page of the rendered book in a real browser, from the file system, at two widths."""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.ensure_chromium import find

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts
)
WITH_MATHS = [f"notebooks/{path.stem}.html" for path in (ROOT / "notebooks").glob("*.ipynb")]
PATIENCE = 180_000
"""Milliseconds until a page that does not come is given up; on a machine that does other work the
30,000 that are the default are too few."""
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def browser():
    path = find()
    assert path, "no browser: run `make test`, which installs one, or set CHROMIUM"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield running
        running.close()


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=["desktop", "phone"], scope="module")
def context(browser, request):
    width, scheme = request.param
    made = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


def opened(context, name):
    """Open a page; return it with what it asks of the network and the errors that it reports."""
    page = context.new_page()
    outside, errors = [], []
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or outside.append(r.url))
    page.on("console", lambda m: m.type in ("error", "warning") and errors.append(m.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((HTML / name).as_uri())
    return page, outside, errors


def test_the_book_was_rendered():
    assert {"index.html", *WITH_MATHS} <= set(PAGES), "no rendered book: run `make book`"


@pytest.mark.parametrize("name", PAGES)
def test_page(context, name):
    page, outside, errors = opened(context, name)
    page.wait_for_load_state("networkidle")
    if name in WITH_MATHS:
        page.wait_for_selector("mjx-container", state="attached")
    # Wait for all of it: MathJax resolves its promise when the page is typeset.
    page.evaluate("() => window.MathJax?.startup?.promise")
    counts = page.evaluate(
        """() => ({
            noAlt: [...document.images].filter(i => !i.alt.trim()).map(i => i.src),
            broken: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
            rawMaths: [...document.querySelectorAll('.math')]
                .filter(e => !e.querySelector('mjx-container')).map(e => e.textContent),
            mathErrors: document.querySelectorAll('[data-mjx-error], mjx-merror').length,
            sideways: document.documentElement.scrollWidth - window.innerWidth,
        })"""
    )
    page.close()
    assert outside == []
    assert errors == []
    empty = {"noAlt": [], "broken": [], "rawMaths": [], "mathErrors": 0}
    assert {key: counts[key] for key in empty} == empty
    assert counts["sideways"] <= 0


def with_steppers():
    """Pages on which something can be moved."""
    return [page for page in PAGES if 'class="stepper"' in (HTML / page).read_text("utf-8")]


def test_chapters_have_something_to_move():
    movable = {"notebooks/01_unidentifiability.html", "notebooks/03_conditions.html"}
    assert movable <= set(with_steppers())


@pytest.mark.parametrize("name", with_steppers())
def test_steppers_move_by_keyboard_and_pointer(context, name):
    """Each shows one frame at a time and names it, to the eye and to a screen reader."""
    page, outside, errors = opened(context, name)
    for stepper in page.locator(".stepper").all():
        images = stepper.locator("img").all()
        slider = stepper.get_by_role("slider")
        assert slider.evaluate("e => e.labels[0].firstChild.textContent.trim()")

        def check(index, images=images, stepper=stepper, slider=slider):
            assert [image.is_visible() for image in images] == [
                i == index for i in range(len(images))
            ]
            shown = images[index].get_attribute("data-shown")
            assert slider.get_attribute("aria-valuetext") == shown
            assert stepper.locator("span").inner_text() == shown

        start = int(slider.input_value())
        check(start)
        slider.focus()
        page.keyboard.press("Home")
        check(0)
        page.keyboard.press("ArrowRight")
        check(1)
        page.keyboard.press("End")
        check(len(images) - 1)
        box = slider.bounding_box()
        page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
        check(0)
        assert box["width"] > 120
        assert box["height"] >= 24
    page.close()
    assert outside == []
    assert errors == []


def test_search_finds_a_word_from_a_chapter(context):
    page = context.new_page()
    page.goto((HTML / "search.html").as_uri() + "?q=pivoting")
    page.wait_for_selector("#search-results li a")
    links = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    page.close()
    assert any("03_conditions" in link for link in links)


@pytest.mark.parametrize("width", [390, 700, 1440])
@pytest.mark.parametrize("menu", ["primary", "secondary"])
def test_a_menu_opens_is_used_and_closes(browser, width, menu):
    """What a visible button promises it does: a dialog where it is narrow, a fold where wide."""
    made = browser.new_context(viewport={"width": width, "height": 900})
    page, _, errors = opened(made, "notebooks/02_model.html")
    page.wait_for_load_state("networkidle")
    sidebar = page.locator(f"#pst-{menu}-sidebar")
    dialog = page.locator(f"#pst-{menu}-sidebar-modal")
    buttons = [one for one in page.locator(f"button.{menu}-toggle").all() if one.is_visible()]
    if width == 1440 and menu == "secondary":  # It stands beside the text, and has no button.
        assert buttons == []
        assert sidebar.is_visible()
        page.locator(f"#pst-{menu}-sidebar a[href^='#']").last.click()
        assert "#" in page.url
        made.close()
        return
    (button,) = buttons
    if width == 1440:
        assert sidebar.is_visible()
        button.click()
        sidebar.wait_for(state="hidden")
        button.click()
        sidebar.wait_for(state="visible")
        link = sidebar.locator("a.reference.internal").last
    else:
        assert not sidebar.is_visible()
        button.click()
        link = dialog.locator("a.reference.internal").last
        link.wait_for(state="visible")
        page.keyboard.press("Escape")
        link.wait_for(state="hidden")
        assert not dialog.evaluate("e => e.open")
        button.click()
        link.wait_for(state="visible")
    before, target = page.url, link.get_attribute("href")
    link.click()
    page.wait_for_load_state()
    assert page.url != before
    assert page.url.endswith(target.removeprefix("../"))
    assert errors == []
    made.close()
