"""What a check of a condition found: whether it holds, and the numbers that say so."""

from __future__ import annotations

from dataclasses import dataclass

VERDICTS = {True: "holds", False: "fails", None: "undecided"}
SEEN = "not seen to fail"


@dataclass(frozen=True)
class Finding:
    """One condition, judged for one model, with the fact or the numbers behind the verdict.

    ``holds`` is None where what is known does not decide. ``is_certain`` is False where a condition
    that holds has been looked at in places, or up to errors, and was not seen to fail.
    """

    condition: str
    holds: bool | None
    reason: str
    is_certain: bool = True

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"not seen to fail"``, ``"fails"`` or ``"undecided"``."""
        return SEEN if self.holds and not self.is_certain else VERDICTS[self.holds]

    def __str__(self) -> str:
        return f"{self.condition} {self.verdict}: {self.reason}"


def all_hold(findings: tuple[Finding, ...]) -> bool | None:
    """Return True if all hold, False if one fails, None if that is not decided."""
    if any(finding.holds is False for finding in findings):
        return False
    return True if all(finding.holds for finding in findings) else None
