"""For chapter 5: the paper's Figure 1.

May import ivae and the shared modules of companion; imported by chapter 5 alone.
"""

from companion.c05 import experiments, figures

__all__ = ["experiments", "figures"]
