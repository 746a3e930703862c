"""For chapter 7: the paper's Figure 3.

May import ivae and the shared modules of companion; imported by chapter 7 alone.
"""

from companion.c07 import experiments

__all__ = ["experiments"]
