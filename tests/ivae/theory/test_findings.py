"""A verdict says no more than the finding, and one that fails decides for all."""

import pytest

from ivae.theory.findings import Finding, all_hold

SURE, SEEN = Finding("(a)", True, "a fact"), Finding("(b)", True, "looked at", is_certain=False)
BROKEN, OPEN = Finding("(c)", False, "a fact"), Finding("(d)", None, "numbers")


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [(SURE, "holds"), (SEEN, "not seen to fail"), (BROKEN, "fails"), (OPEN, "undecided")],
)
def test_a_verdict_in_words(finding, verdict):
    assert finding.verdict == verdict
    assert str(finding) == f"{finding.condition} {verdict}: {finding.reason}"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ((), True),
        ((SURE, SEEN), True),
        ((SURE, OPEN), None),
        ((OPEN, BROKEN, SURE), False),
    ],
)
def test_one_failure_decides_and_one_open_question_leaves_all_open(findings, expected):
    assert all_hold(findings) is expected
