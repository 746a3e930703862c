"""For chapter 6: the paper's Figure 2.

May import ivae and the shared modules of companion; imported by chapter 6 alone.
"""

from companion.c06 import experiments, figures

__all__ = ["experiments", "figures"]
