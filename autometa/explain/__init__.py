"""Why a model answers as it does, and how far it may be trusted: columns, slices, rows.

    record      what is known of a model, as it is kept: figures of columns, never rows
    judges      who answers for which rows: models that have not learned from them
    players     what is asked together: a column, or the numbers of a vector
    importance  permutation importance with intervals and directions; partial dependence
    measure     all of that for a run, within a time box
    slices      which rows the model gets wrong
    shapley     why one row is answered as it is
    trees       the same, exact, where all models are of trees
    rows        both, for the rows of a table, as far as there is time
    labelled    a table with known answers, as a task of the model
    options     the tuned numbers

Laws: a column is judged on rows that the answering models have not learned from, or it is said; whatever the time, what
was found by then counts, and says from how many rows and shuffles it is.

Letters:  n rows · p columns · c classes · b blocks of rows.
"""

from __future__ import annotations

from autometa.explain.measure import explain, explain_answers, explain_table, kept_seconds, time_for
from autometa.explain.record import Dependence, Importance, ModelExplanation

__all__ = [
    "Dependence",
    "Importance",
    "ModelExplanation",
    "explain",
    "explain_answers",
    "explain_table",
    "kept_seconds",
    "time_for",
]
