"""Everything the book computes; see the table of modules in the README."""

__version__ = "0.1.0"
