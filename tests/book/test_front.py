"""The front pages say and show what was recorded."""

import base64
import io

import front
import nbformat
import numpy as np
import pytest
from marks import between
from PIL import Image

from companion.recorded import store

RUNS = [("develop", 1), ("confirm", 101), ("confirm", 102), ("confirm", 103), ("setting", 1)]
RECORDED = store.Result(
    "recoveries",
    1,
    {},
    [{"part": part, "data_seed": data_seed} for part, data_seed in RUNS],
    {"fresh": np.array([0.5, 0.91, 0.95, 0.99, 0.6]), "mcc": np.full(5, 0.7)},
    {},
    np.ones(5),
    np.empty(0, np.int64),
    {},
)


def test_the_sentence_has_mean_lowest_and_seeds_of_the_confirmation_alone():
    text = front.sentence(RECORDED, "chapter 14")
    for part in ("chapter 14", "0.950", "0.910", "3 datasets", "101 to 103", "not seen"):
        assert part in text


FIRST, LAST = front.MARKS


def test_a_text_replaces_what_is_between_the_marks_alone():
    before, after = "# Title\n\ntext | with | bars\n", "\n\n## More\n<!-- other -->\n"
    page = f"{before}{FIRST}\nold\n{LAST}{after}"
    new = between(page, front.MARKS, "new", "page.md")
    assert new == f"{before}{FIRST}\nnew\n{LAST}{after}"
    assert between(new, front.MARKS, "new", "page.md") == new
    assert between(new, front.MARKS, "old", "page.md") == page


@pytest.mark.parametrize(
    "text", ["", "text", f"a\n{FIRST}\nb", f"a\n{LAST}\nb", f"{LAST}\n{FIRST}\n"]
)
def test_a_page_without_marks_is_refused(text):
    with pytest.raises(ValueError, match=r"page\.md must have the lines"):
        between(text, front.MARKS, "new", "page.md")


def test_pages_are_written_from_the_result(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"{front.MARKS[0]}\n{front.MARKS[1]}\n", encoding="utf-8")
    monkeypatch.setattr(front, "PAGES", {page: "there"})
    monkeypatch.setattr(front, "RECOVERIES", tmp_path / "recoveries")
    store.save(RECORDED, front.RECOVERIES)
    front.write()
    assert front.sentence(RECORDED, "there") in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", front.PAGES)
def test_the_front_pages_agree_with_the_recorded_result(page):
    recorded = store.load(front.RECOVERIES)
    assert front.sentence(recorded, front.PAGES[page]) in page.read_text(encoding="utf-8")


def test_the_picture_is_the_chapters_and_says_what_it_was_drawn_from():
    drawn, other = (Image.new("RGB", (4, 3), colour) for colour in ("red", "blue"))
    notebook = nbformat.v4.new_notebook()
    for name, image in (("fig_2b", other), (front.FIGURE, drawn)):
        file = io.BytesIO()
        image.save(file, "PNG")
        data = {"image/png": base64.b64encode(file.getvalue()).decode()}
        scrapbook = {"scrapbook": {"name": name}}
        output = nbformat.v4.new_output("display_data", data, metadata=scrapbook)
        notebook.cells.append(nbformat.v4.new_code_cell(outputs=[output]))
    found = Image.open(io.BytesIO(front.picture(notebook, "abc")))
    assert found.text == {"Results": "abc"}
    assert found.convert("RGB").getpixel((2, 2)) == (255, 0, 0)


def test_readmes_picture_was_drawn_from_the_results_that_are_there():
    """Else it must be drawn anew: python book/build.py --mode full."""
    results = front.ROOT / "book" / "results" / front.CHAPTER
    assert Image.open(front.PICTURE).text["Results"] == front.fingerprint(results)
