"""The tuned numbers of this room: what each means, its unit, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Constants of evaluating a configuration; `OPTIONS` are the ones in use."""

    # ------------------------------------------------------------------------------------------------ one evaluation

    # Of a fold's time, the share that a learner may grow for; the rest is for preprocessing and predicting.
    # Judgement, not measured.
    growth_share: float = 0.8

    # Of the range of the targets that were learned from, how far a regression may go beyond it. That it is bounded was
    # measured: on diamonds one mistyped cell made an additive model say 184,696 for a price of 12,210, and the ensemble
    # err by 664 instead of 555 (RMSE, `benchmarks/suite.py`). The half is judgement.
    beyond_targets: float = 0.5

    # Bytes of pickled fold models above which they are not kept but fitted again: writing more costs about as much as
    # fitting. Judgement, not measured; with it the forests of many classes on `letter` are kept.
    kept_bytes: int = 256 << 20

    # ----------------------------------------------------------------------------------------------------- isolation

    # Seconds between two looks at the memory of a trial, and once half of its cap is used: memory can be filled at some
    # GB a second. Judgement, not measured.
    poll_seconds: float = 0.05
    urgent_poll_seconds: float = 0.01

    # Of the wall's time, the processor's below which a trial that is late sleeps rather than is held up by others:
    # beside 40 busy processes on one core it would have as much. Judgement.
    idle_share: float = 0.02

    # Processor seconds over which it is measured how crowded the machine is: several turns of the scheduler. Judgement.
    crowding_seconds: float = 0.02

    # Processor seconds that another process takes to load what boosting needs, half of them scikit-learn's. Measured.
    processor_to_load: float = 1.3

    # Seconds, the longest that a killed process may take to give back its memory. Judgement, not measured.
    end_seconds: float = 10.0

    # The machine counts as out of memory when less than this share of it is left, or these bytes, whichever is less.
    # Judgement, not measured.
    reserve_share: float = 0.02
    reserve_bytes: int = 256 << 20

    # --------------------------------------------------------------------------------------------------- calibration

    # Rows to which a map of probabilities is fitted, at most, and cells of rows and classes, unless that were fewer
    # than ten rows a class, for which there may be so many times the cells: more do not make a few numbers better.
    # Judgement.
    calibration_rows: int = 5_000
    calibration_cells: int = 50_000
    calibration_class_rows: int = 10
    calibration_slack: int = 20

    # Parts of the rows, each foretold by maps fitted to the others, by which what a map may change is chosen; and of
    # the standard error of a gain, what more freedom must gain. Without a margin eight classes
    # of 60 rows lose .07 where there is nothing to mend. Judgement.
    calibration_parts: int = 3
    calibration_margin: float = 1.0

    # Standard deviations of the normal priors: of the logarithm of the common slope, of the shift (of two classes in
    # the logarithm of the odds, of several as a power of the classes' shares), of each class's offset, and of the
    # logarithm of each class's slope.
    spread_of_slope: float = 1.0
    spread_of_shift: float = 3.0
    spread_of_class: float = 1.0
    spread_of_class_slope: float = 0.6

    # Bounds of the common slope, and what a probability of zero counts as. A linear model under the strongest penalty
    # gives all rows about the same: its slope is in the hundreds. Judgement.
    least_slope: float = 1e-3
    most_slope: float = 1e6
    least_probability: float = 1e-9

    # ----------------------------------------------------------------------------------------------------- intervals

    # Scores of held-out rows that a model keeps, at most: the largest quarter of them, which wide intervals need, and
    # others evenly, so that an interval is too wide by a part in four hundred of the rows. Judgement.
    kept_scores: int = 512
    # Parts of what is predicted whose intervals have a width of their own, and the rows that each takes. Judgement:
    # 100 rows leave the coverage of 90 % a standard error of 3 points in one part.
    conformal_parts: int = 10
    conformal_rows: int = 100
    # Of the variance of a probability, the distance within which rows count as tied, and the share of rows that make a
    # tie: a model that is all but flat, of a search that was cut short on a crowded machine, held 74 of
    # 100 where 90 were asked (`benchmarks/practice.py`, diabetes). The sizes are judgement.
    tied_width: float = 0.02
    tied_share: float = 0.1
    # Columns whose categories may be told apart, and categories of one. Judgement: the model stays below a megabyte.
    conformal_columns: int = 50
    conformal_categories: int = 50

    # ------------------------------------------------------------------------------------------------------ decision

    # Rows by which a threshold is chosen, at most, and parts of them by which it is told whether it does better than
    # the most probable class. Judgement.
    decision_rows: int = 10_000
    decision_parts: int = 4

    # Thresholds that are compared, and powers of the classes' shares. Judgement.
    thresholds: int = 60
    class_powers: int = 11

    # One part of the compared thresholds over which scores are averaged before the best is taken. Judgement.
    smoothed_part: int = 12

    # --------------------------------------------------------------------------------------------------- uncertainty

    # Drawings of a bootstrap, and the fewest that make an interval: 200 place the ends of a 95 % interval to a tenth of
    # its width, 40 to a fifth. Efron and Tibshirani (1993) take 50 to 200 for a standard error.
    bootstraps: int = 200
    slow_bootstraps: int = 50  # with a metric that scikit-learn computes, at a hundred times the cost
    least_bootstraps: int = 40

    # Rows that are drawn at once, at most: what is drawn of more is scaled. Judgement: a fifth of a second in all.
    bootstrap_rows: int = 5_000

    # Classes up to which answering each of them always is compared, as the dummy of a metric that judges labels.
    # Judgement.
    dummy_classes: int = 20

    # -------------------------------------------------------------------------------------------------------- splits
    # One evaluation is worth about as many fits as it has folds. Where the lines are is judgement, from measured times.

    # (rows, times): below so many rows cross-validation is repeated so often. Below 500 a fit costs milliseconds, while
    # which rows fall together moves an AUC by a point or more.
    repeats: tuple[tuple[int, int], ...] = ((200, 3), (500, 2))

    # Rows and cells from which there are three folds: five fits of a boosted tree would take the better part of a
    # one-minute budget.
    three_folds_rows: int = 20_000
    three_folds_cells: int = 4_000_000

    # Rows and cells from which there is one hold-out.
    hold_out_rows: int = 50_000
    hold_out_cells: int = 20_000_000

    # Share of the rows that a hold-out takes, the fewest rows unless they are more than a fifth, and the most rows:
    # they leave an accuracy a standard error below half a point. Where there is no time to fit anew on all rows, its
    # models are the ones that answer.
    held_out: float = 0.1
    fewest_held_out: int = 2_500
    most_held_out: int = 10_000

    # Equal parts of a regression target that are dealt out to the folds like classes. Judgement, not measured.
    strata: int = 10


OPTIONS = EvaluationOptions()
