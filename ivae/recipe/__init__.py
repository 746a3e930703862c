"""The recipe: the way to find sources from x and u alone, which stands behind ``ivae.IVAE``.

May import ``engine`` and the files at the root of ``ivae`` but ``training`` and ``estimator``.
For ``estimator``, and for the chapter that tests the recipe.
"""
