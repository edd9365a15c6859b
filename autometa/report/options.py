"""The tuned numbers of the report: how much of each thing is shown, and on how many rows what it says is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Sizes of tables and charts, and of what is measured; `OPTIONS` are those in use."""

    # Rows of the leaderboard. Judgement, not measured: a screen.
    leaders: int = 25
    # Rows of the table of columns; beyond, it says how many more there are. Judgement, not measured.
    columns: int = 200
    # Classes in the distribution of the target, in the confusion matrix and in the table of classes. Judgement, not
    # measured: the labels of a matrix of 20 x 20 can still be read.
    classes: int = 20
    # Classes up to which the confusion matrix takes half of the page. Judgement: their names have room in it.
    narrow_classes: int = 8
    # Rows from which facts about columns are taken. Judgement, not measured: quantiles of more look the same.
    facts_rows: int = 100_000
    # Notes on the data that are listed; the others are folded. Judgement, not measured.
    notes: int = 12
    # Columns left out that are listed without a fold. Judgement, not measured.
    dropped: int = 8
    # Similar past tasks in the table of the memory. Judgement, not measured.
    past_tasks: int = 12
    # Failed trials that are listed without a fold. Judgement, not measured.
    failures: int = 10
    # Letters of a failed trial's reason: in the table, and in the chart's tip. Judgement, not measured.
    reason_letters: int = 600
    tip_letters: int = 200
    # Points of a scatter plot. Judgement, not measured: more only cover each other.
    dots: int = 1500
    # Most frequent confusions, where the classes are too many for a matrix. Judgement, not measured.
    confusions: int = 15
    # Columns beside a worst row, and letters of a cell of it. Judgement, not measured: a screen.
    worst_columns: int = 4
    cell_letters: int = 40
    # Columns that are looked at for warnings; rows from which "all different" says something; and the share of all
    # importance from which one column is suspected of knowing the answer. Judgement, not measured.
    warned_columns: int = 500
    unique_rows: int = 50
    leaking_share: float = 0.8
    # Columns in the chart of feature importance. Judgement, not measured.
    important: int = 20


OPTIONS = ReportOptions()
