"""How training is done: gradients by hand behind :func:`ivae.training.train`, autograd elsewhere.

May import the files at the root of ``ivae`` up to ``objectives``, ``schedules`` and ``metrics``.
For ``training``, ``recipe``, ``theory``, ``sweeps``; of the book's own code what trains by itself.
"""
