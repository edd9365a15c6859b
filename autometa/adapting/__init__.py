"""A trained few-shot learner as a model family of one search: "adapt this learner" competes with everything else.

    card      what a search needs to know of a checkpoint, without reading it    LearnerCard, read_card
    family    its family: which head, how many inner steps, at which rate        family_from(card)
    keeping   a checkpoint, checked and kept by its content                      keep(name) -> LearnerCard
    face      the scikit-learn classifier that adapts it                         LearnerClassifier

Law: cards and families are read without PyTorch, since every trial's process reads them; what is kept of a checkpoint
is read without running anything in it.
"""

from __future__ import annotations

from autometa.adapting.card import LearnerCard, read_card
from autometa.adapting.family import family_from
from autometa.adapting.keeping import keep

__all__ = ["LearnerCard", "family_from", "keep", "read_card"]
