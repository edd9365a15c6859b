"""The tuned numbers of explanations: on how many rows they rest, how often a column is shuffled, how long it takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """Sizes and shares; `OPTIONS` are those in use."""

    # ------------------------------------------------------------------------------------------------------------ time

    # Of a time budget, the share that is kept for the explanation after a search, and its bounds in seconds. Judgement:
    # reading the models back takes 0.2 s, shuffling every column of 30 on 250 rows 0.1 s for a boosted model.
    share: float = 0.03
    least_seconds: float = 0.6
    most_seconds: float = 10.0
    # Seconds where there is no time budget, and of `autometa explain` unless it is told. Judgement: what people wait.
    unhurried: float = 3.0
    patient: float = 20.0
    # Of what is left of a time budget, the share that it may take: the report is written in the rest. Judgement.
    until: float = 0.85
    # Seconds that it has even where the budget is over, as the first model of a search has; and seconds of loading, or
    # of waiting for a crowded machine, that are not charged. Judgement.
    least_late: float = 0.5
    patience: float = 2.0
    # Of the seconds that there are, what the first shuffle of every column should take at most: a fork, reading the
    # models and partial dependence need the rest. Judgement.
    first_share: float = 0.3
    # With fewer seconds than this nothing is begun. Judgement: a fork and reading one model back take about that.
    worth_seconds: float = 0.15

    # ------------------------------------------------------------------------------------------ permutation importance

    # Rows by which columns are judged after a search, and when it is asked for; tried in this order until the first
    # shuffle fits. Judgement.
    rows: int = 500
    rows_asked: int = 2_000
    fewer_rows: tuple[int, ...] = (250, 100, 50, 25)
    # Rows of the rarest class that a block should have, and how many times as many rows that may take. Judgement: the
    # ranks of ten positives among the others say something.
    rare_rows: int = 10
    most_growth: int = 8
    # Shuffles of each column after a search, and when it is asked for. Judgement: what rows differ by is more than what
    # shuffles differ by.
    repeats: int = 2
    repeats_asked: int = 10
    # Blocks of held-out rows whose differences are the interval: the folds, or so many parts where there are fewer.
    blocks: int = 5
    coverage: float = 0.9
    # Cells of a table that is answered at once. Judgement: 16 MB of numbers.
    cells: int = 2_000_000
    # Columns from which those that go with the target most are asked first, few to begin with. That three minutes went
    # by on 5,000 columns and a crowded machine before anybody looked at the time was measured; the number is judgement.
    wide: int = 200
    # Correlation between the change of a value and that of the answer from which a column has a direction. Judgement.
    direction: float = 0.3

    # ---------------------------------------------------------------------------------------------- partial dependence

    # Columns, points of a numeric one, categories, and rows over which the answer is averaged. Judgement.
    dependent: int = 6
    points: int = 12
    categories: int = 10
    dependence_rows: int = 150

    # ---------------------------------------------------------------------------------------------------------- errors

    # Parts of a numeric column, the fewest rows of a slice and their share, standard errors by which a slice must be
    # worse, slices and worst rows that are shown. Judgement.
    parts: int = 4
    slice_rows: int = 20
    slice_share: float = 0.02
    slice_sureness: float = 3.0
    slices: int = 8
    worst: int = 10

    # -------------------------------------------------------------------------------------------------- Shapley values

    # Rows of the training table against which a row is explained, pairs of orders in which its columns are put in, and
    # the columns up to which every coalition is asked. Judgement: shap's `PermutationExplainer` takes ten pairs.
    background: int = 20
    orders: int = 10
    exact_columns: int = 6


OPTIONS = ExplainOptions()
