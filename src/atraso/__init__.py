"""Atraso: how likely is this departure to leave late, how late, and why?"""

__version__ = "0.1.0"
