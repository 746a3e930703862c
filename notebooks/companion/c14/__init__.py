"""For chapter 14: the recipe on sources that are known, and beside its neighbours.

May import ivae and the shared modules of companion; imported by chapter 14 alone.
"""

from companion.c14 import experiments, figures, known_sources, mixtures

__all__ = ["experiments", "figures", "known_sources", "mixtures"]
