"""The recipe as shipped with far fewer rounds, for tests that need a model and not a good one."""

from functools import partial

import pytest

from atraso.training import crew, fit
from atraso.training.learners import boosting_machine, stumps
from atraso.training.recipe import RECIPE, Part


def train_quickly(patch: pytest.MonkeyPatch, rounds: int, further_rounds: int) -> None:
    """Let every part of every scorecard learn for *rounds* at most, and the other thresholds for *further_rounds*."""
    for lead, parts in RECIPE.items():
        patch.setitem(RECIPE, lead, tuple(_quick(part, rounds) for part in parts))
    patch.setattr(fit, "FURTHER_ROUNDS", further_rounds)
    patch.setattr(stumps, "PARAMETERS", {**stumps.PARAMETERS, "learning_rate": 0.3})
    patch.setattr(crew, "PROCESSES", 0)  # other processes would learn at full length
    patch.setattr(boosting_machine, "ROUNDS", rounds)
    patch.setattr(boosting_machine, "BAGS", 2)
    patch.setattr(boosting_machine, "SIFTING_ROUNDS", rounds)


def _quick(part: Part, rounds: int) -> Part:
    if not isinstance(part.learn, partial):
        return part
    return Part(partial(stumps.learn, rounds=rounds), part.memory_days, part.weight)
