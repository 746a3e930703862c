"""Experiments, what they gave, and how every build makes a part of it again.

``experiment`` says what an experiment is, ``store`` how its result is kept, ``making`` makes one
anew, ``audit`` makes a few of its runs again and says whether they agree; ``trained`` is what most
experiments do: train, and score on fresh rows.
"""
