"""What a check of a condition found: whether it holds, and the numbers that say so."""

from __future__ import annotations

from dataclasses import dataclass

VERDICTS = {True: "holds", False: "fails", None: "undecided"}


@dataclass(frozen=True)
class Finding:
    """One condition, judged for one model.

    Attributes
    ----------
    condition
        Its name, as the paper numbers it where it does.
    holds
        True, False, or None where what is known does not decide.
    reason
        The fact, or the numbers, behind the verdict.
    """

    condition: str
    holds: bool | None
    reason: str

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"fails"`` or ``"undecided"``."""
        return VERDICTS[self.holds]

    def __str__(self) -> str:
        return f"{self.condition} {self.verdict}: {self.reason}"


def all_hold(findings: tuple[Finding, ...]) -> bool | None:
    """Return True if all hold, False if one fails, None if that is not decided."""
    if any(finding.holds is False for finding in findings):
        return False
    return True if all(finding.holds for finding in findings) else None
