"""What everything here stands on: checks of input, activations, seeds, progress, records.

May import nothing else of ``ivae``. Everything may import it.
"""
