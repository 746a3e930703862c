"""For chapter 2: what the model says, in pictures.

May import ivae and the shared modules of companion; imported by chapter 2 alone.
"""

from companion.c02 import figures

__all__ = ["figures"]
