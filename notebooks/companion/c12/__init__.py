"""For chapter 12: bits, relaxed or not, and what they tell.

May import ivae and the shared modules of companion; imported by chapter 12 alone.
"""

from companion.c12 import bits, discrete, experiments, figures, reached

__all__ = ["bits", "discrete", "experiments", "figures", "reached"]
