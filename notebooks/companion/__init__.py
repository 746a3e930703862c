"""The book's own code, filed by chapter.

May import ivae; imported by the notebooks and the tests, and by nothing in ivae.
"""
