"""The recipe: the way to find sources from x and u alone, which stands behind ``ivae.IVAE``.

May import ``engine`` and the files at the root of ``ivae`` but ``training`` and ``estimator``.
For ``estimator``, ``ivae`` itself and the book's own code, which tests the recipe.
"""
