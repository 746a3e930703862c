"""For chapter 14: the recipe on sources that are known.

May import ivae and the shared modules of companion; imported by chapter 14 alone.
"""

from companion.c14 import figures, known_sources

__all__ = ["figures", "known_sources"]
