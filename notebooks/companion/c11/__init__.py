"""For chapter 11: laws over the segments on which linear ICA is tried.

May import ivae and the shared modules of companion; imported by chapter 11 alone.
"""

from companion.c11 import comparisons, experiments, figures, laws

__all__ = ["comparisons", "experiments", "figures", "laws"]
