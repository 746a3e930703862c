"""For chapter 9: the way between text and code, and how much hangs on settings.

May import ivae and the shared modules of companion; imported by chapter 9 alone.
"""

from companion.c09 import experiments, figures, settings

__all__ = ["experiments", "figures", "settings"]
