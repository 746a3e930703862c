"""The front pages say what the full figures of chapter 14 say."""

import json

import front
import pytest
from marks import between

FIGURES = {"confirm_mcc": [0.91, 0.95, 0.99], "confirm_seeds": [101, 102, 103]}


def test_the_sentence_has_mean_lowest_and_seeds():
    text = front.sentence(FIGURES, "chapter 14")
    for part in ("chapter 14", "0.950", "0.910", "3 datasets", "101 to 103"):
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


def test_pages_are_written_from_the_file(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"{front.MARKS[0]}\n{front.MARKS[1]}\n", encoding="utf-8")
    monkeypatch.setattr(front, "PAGES", {page: "there"})
    monkeypatch.setattr(front, "BEYOND", tmp_path / "beyond.json")
    front.write()
    assert "there" not in page.read_text(encoding="utf-8")
    front.BEYOND.write_text(json.dumps(FIGURES), encoding="utf-8")
    front.write()
    assert front.sentence(FIGURES, "there") in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", front.PAGES)
def test_the_front_pages_agree_with_the_full_figures(page):
    figures = json.loads(front.BEYOND.read_text(encoding="utf-8"))
    assert front.sentence(figures, front.PAGES[page]) in page.read_text(encoding="utf-8")


def test_the_full_figures_are_those_of_the_chapters_record():
    figures = json.loads(front.BEYOND.read_text(encoding="utf-8"))
    record = json.loads((front.BEYOND.parent / "14_beyond.json").read_text(encoding="utf-8"))
    for part in ("develop", "confirm"):
        assert figures[f"{part}_mcc"] == record["values"][f"{part}_mcc"]
        assert len(figures[f"{part}_mcc"]) == len(figures[f"{part}_seeds"])
