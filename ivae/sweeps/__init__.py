"""Many trainings by plain values: grids of runs, packed into ensembles, with records and a table.

May import ``training`` and all that it stands on.
For users and for the chapters and their ``companion``; nothing else of ``ivae`` imports it.
"""
