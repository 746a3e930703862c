"""For chapter 8: the paper's Figure 4.

May import ivae and the shared modules of companion; imported by chapter 8 alone.
"""

from companion.c08 import experiments, figures, scores

__all__ = ["experiments", "figures", "scores"]
