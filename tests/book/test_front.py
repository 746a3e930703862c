"""The front pages say what the recorded recoveries of chapter 14 say."""

import front
import numpy as np
import pytest
from marks import between

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
    front.write()
    assert "there" not in page.read_text(encoding="utf-8")
    store.save(RECORDED, front.RECOVERIES)
    front.write()
    assert front.sentence(RECORDED, "there") in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", front.PAGES)
def test_the_front_pages_agree_with_the_recorded_result(page):
    recorded = store.load(front.RECOVERIES)
    assert front.sentence(recorded, front.PAGES[page]) in page.read_text(encoding="utf-8")
