"""Claims are judged as claims.yml says, and each can be judged by what its chapter records."""

import ast
import json
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import verdicts
import yaml
from verdicts import (
    BOUNDS,
    ROOT,
    SHOWN,
    Claim,
    judge,
    load_claims,
)

from ivae.support.records import Record, save

CLAIM = Claim(
    id="a-claim",
    claim="It works.",
    place="Figure 1",
    paper="> .95",
    chapter="05_figure_1",
    measure="scores",
    repetition="datasets",
    reproduced={"at_least": 0.9},
    partly={"at_least": 0.8},
)
CLAIMS = load_claims()
every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


RESULTS = [{"seconds": 80.0}, {"seconds": 40.0}]


def record_of(name="05_figure_1", **values):
    return Record(name, {"seed": 1}, values | {"results": RESULTS}, {"seconds": 10.0})


def entry(**changes):
    plain = {name: value for name, value in vars(CLAIM).items() if value is not None}
    return {**plain, "reproduced": dict(CLAIM.reproduced), "partly": dict(CLAIM.partly), **changes}


def load_entries(folder, *entries):
    path = folder / "claims.yml"
    path.write_text(yaml.safe_dump(list(entries), allow_unicode=True), encoding="utf-8")
    return load_claims(path)


@pytest.mark.parametrize(
    ("median", "verdict"),
    [
        (1.0, "reproduced"),
        (0.9, "reproduced"),
        (0.8999, "partly"),
        (0.8, "partly"),
        (0.7999, "not reproduced"),
        (-1.0, "not reproduced"),
    ],
)
def test_the_median_is_held_against_the_bounds(median, verdict):
    assert judge(CLAIM, [median]) == verdict
    assert judge(CLAIM, [median, -5.0, 5.0]) == verdict


@pytest.mark.parametrize(
    ("median", "verdict"),
    [(-3.0, "reproduced"), (0.0, "reproduced"), (0.1, "partly"), (0.11, "not reproduced")],
)
def test_at_most_bounds_from_above(median, verdict):
    claim = replace(CLAIM, reproduced={"at_most": 0.0}, partly={"at_most": 0.1})
    assert judge(claim, [median]) == verdict


@pytest.mark.parametrize(
    ("median", "verdict"),
    [
        (0.43, "reproduced"),
        (0.53, "reproduced"),
        (0.42, "partly"),
        (0.54, "partly"),
        (0.37, "not reproduced"),
        (0.59, "not reproduced"),
    ],
)
def test_bounds_may_be_on_both_sides(median, verdict):
    near, wide = {"at_least": 0.43, "at_most": 0.53}, {"at_least": 0.38, "at_most": 0.58}
    assert judge(replace(CLAIM, reproduced=near, partly=wide), [median]) == verdict


@pytest.mark.parametrize("values", [[np.nan], [0.95, np.nan, 0.95]])
def test_what_is_not_a_number_is_not_judged(values):
    with pytest.raises(ValueError, match="claim a-claim: scores must be numbers, at least one"):
        judge(CLAIM, values)


def test_no_repetitions_are_not_judged():
    with pytest.raises(ValueError, match="claim a-claim: scores must be numbers, at least one"):
        judge(CLAIM, [])


def test_a_verdict_tells_the_repetitions_and_what_repeats_them():
    one = verdicts.verdict_on(CLAIM, record_of(scores=[0.7, 0.85, 0.99, 0.8, 0.9]))
    assert (one.claim, one.verdict) == ("a-claim", "partly")
    assert (one.median, one.low, one.high, one.seeds) == (0.85, 0.7, 0.99, 5)
    assert one.command.endswith("book/build.py --mode full --chapters 05")
    assert one.seconds == 120.0  # Of the runs; the chapter that reads them is quick.


def test_an_unknown_measure_is_named():
    with pytest.raises(ValueError, match="claim a-claim: the record 05_figure_1 has no scores"):
        verdicts.verdict_on(CLAIM, record_of(other=[0.9]))


def test_claims_are_judged_by_the_record_of_their_chapter(tmp_path):
    save(record_of(scores=[0.95], others=[0.1]), tmp_path / "05_figure_1.json")
    other = replace(CLAIM, id="other", measure="others")
    found = verdicts.verdicts([CLAIM, other], tmp_path)
    assert {name: one.verdict for name, one in found.items()} == {
        "a-claim": "reproduced",
        "other": "not reproduced",
    }
    rows = json.loads(verdicts.as_json(found))
    assert [(row["claim"], row["median"]) for row in rows] == [("a-claim", 0.95), ("other", 0.1)]


def test_a_claim_whose_chapter_was_not_executed_is_not_left_out(tmp_path):
    with pytest.raises(FileNotFoundError):
        verdicts.verdicts([CLAIM], tmp_path)


def test_the_same_stands_for_the_text_before(tmp_path):
    entries = [
        entry(id="a", claim="iVAE wins."),
        entry(id="b", claim="The same."),
        entry(id="c", claim="The same, on other data."),
        entry(id="d", claim="Another claim."),
        entry(id="e", claim="The same."),
    ]
    assert [claim.claim for claim in load_entries(tmp_path, *entries)] == [
        "iVAE wins.",
        "iVAE wins.",
        "iVAE wins, on other data.",
        "Another claim.",
        "Another claim.",
    ]


def test_an_id_is_one_claims(tmp_path):
    with pytest.raises(ValueError, match=r"claims\.yml names an id twice"):
        load_entries(tmp_path, entry(), entry(claim="Another."))


def test_a_correction_says_why(tmp_path):
    with pytest.raises(ValueError, match="claim new corrects a-claim: it must give a reason"):
        load_entries(tmp_path, entry(), entry(id="new", corrects="a-claim"))
    why = "The measure was of means."
    old, new = load_entries(tmp_path, entry(), entry(id="new", corrects="a-claim", reason=why))
    assert (old.corrects, new.corrects, new.reason) == (None, "a-claim", why)


@pytest.mark.parametrize("name", ["reproduced", "partly"])
@pytest.mark.parametrize("bounds", [{}, {"above": 0.9}, {"at_least": 0.9, "below": 1.0}])
def test_bounds_are_at_least_or_at_most(name, bounds):
    with pytest.raises(ValueError, match=f"claim a-claim: {name} must hold at_least, at_most or"):
        replace(CLAIM, **{name: bounds})


def test_the_results_page_shows_every_claim_with_its_numbers(tmp_path):
    save(record_of(scores=[0.9123, 0.95, 0.9789]), tmp_path / "05_figure_1.json")
    claims = [CLAIM, replace(CLAIM, id="strict", reproduced={"at_least": 0.96})]
    page = verdicts.results_page(claims, verdicts.verdicts(claims, tmp_path))
    for claim, verdict in zip(claims, ("reproduced", "partly"), strict=True):
        (row,) = [line for line in page.splitlines() if claim.id in line]
        assert "0.950 (0.912 to 0.979)" in row
        assert f"| **{verdict}** |" in row
    assert page.startswith("Of 2 claims 1 are reproduced, 1 partly, and 0 are not.")


def test_a_tables_rows_have_as_many_cells_as_its_head(tmp_path, monkeypatch):
    save(record_of(scores=[0.95]), tmp_path / "05_figure_1.json")
    full = verdicts.verdicts([CLAIM], tmp_path)
    monkeypatch.setattr(verdicts, "SHOWN", {"a-claim": "in few words"})
    for page in (
        verdicts.readme_table([CLAIM], full),
        verdicts.results_page([CLAIM], full),
    ):
        _, *tables = page.split("\n\n")
        for table in tables:
            assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_readme_shows_the_chosen_claims_in_few_words(tmp_path, monkeypatch):
    save(record_of(scores=[0.9123, 0.95, 0.9789]), tmp_path / "05_figure_1.json")
    claims = [CLAIM, replace(CLAIM, id="hidden", reproduced={"at_least": 0.96})]
    monkeypatch.setattr(verdicts, "SHOWN", {"a-claim": "in few words"})
    head, table = verdicts.readme_table(claims, verdicts.verdicts(claims, tmp_path)).split("\n\n")
    assert head == "Of 2 claims 1 are reproduced, 1 partly, and 0 are not. Some of them:"
    _, _, row = table.splitlines()
    assert row == "| in few words | > .95 | 0.950 (0.912 to 0.979) | reproduced |"


def test_the_claims_chosen_for_the_readme_are_six_and_of_every_kind():
    """So that nobody takes only those that were won, or only those that were lost."""
    assert len(SHOWN) == 6
    full = verdicts.verdicts(CLAIMS)
    shown = [full[name].verdict for name in SHOWN]
    share = sum(one.verdict == "reproduced" for one in full.values()) / len(full)
    assert abs(shown.count("reproduced") / len(shown) - share) <= 0.1
    assert set(shown) == {one.verdict for one in full.values()}


def test_writing_leaves_the_verdicts_in_all_places(tmp_path, monkeypatch):
    text = f"head\n{verdicts.MARKS[0]}\n{verdicts.MARKS[1]}\nfoot\n"
    for name in ("README", "RESULTS", "VERDICTS", "CLAIMS"):
        monkeypatch.setattr(verdicts, name, tmp_path / name)
    judged = partial(verdicts.verdicts, records=tmp_path / "RECORDS")
    monkeypatch.setattr(verdicts, "verdicts", judged)
    monkeypatch.setattr(verdicts, "SHOWN", {"a-claim": "in few words"})
    for page in ("README", "RESULTS"):
        (tmp_path / page).write_text(text, encoding="utf-8")
    save(record_of(scores=[0.95]), tmp_path / "RECORDS" / "05_figure_1.json")
    monkeypatch.setattr(verdicts, "load_claims", lambda: [CLAIM])
    assert set(verdicts.write()) == {"a-claim"}
    (row,) = json.loads((tmp_path / "VERDICTS").read_text(encoding="utf-8"))
    assert (row["claim"], row["verdict"]) == ("a-claim", "reproduced")
    for page, shown in (("README", "in few words"), ("RESULTS", "**a-claim**")):
        written = (tmp_path / page).read_text(encoding="utf-8")
        assert written.startswith("head\n")
        assert written.endswith("\nfoot\n")
        assert shown in written


def series_of(chapter):
    """Return patterns of the names of all lists that a notebook records, from its source."""
    notebook = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    patterns = []
    for node in ast.walk(ast.parse("\n".join("".join(cell["source"]) for cell in cells))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "series":
            name = node.args[0]
            parts = name.values if isinstance(name, ast.JoinedStr) else [name]
            patterns.append(
                "".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts)
            )
    return patterns


@every_claim
def test_a_claims_chapter_records_its_measure(claim):
    patterns = series_of(claim.chapter)
    assert any(re.fullmatch(pattern, claim.measure) for pattern in patterns), patterns


@every_claim
def test_partly_asks_for_less_than_reproduced(claim):
    near, wide = claim.reproduced, claim.partly
    assert set(near) == set(wide) <= BOUNDS
    assert wide.get("at_least", -np.inf) <= near.get("at_least", -np.inf)
    assert near.get("at_most", np.inf) <= wide.get("at_most", np.inf)
    assert near.get("at_least", -np.inf) < near.get("at_most", np.inf)
    assert near != wide


def test_a_correction_names_an_earlier_claim():
    before = set()
    for claim in CLAIMS:
        assert claim.corrects is None or claim.corrects in before
        before.add(claim.id)
