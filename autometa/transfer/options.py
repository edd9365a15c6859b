"""The tuned numbers of transfer, each with its meaning, its unit and where its value comes from.

What asks a belief anything is handed a `TransferOptions`; `OPTIONS` is what the product uses. A benchmark that varies
one hands down ``dataclasses.replace(OPTIONS, optimism=1.0)``. Commands are of `benchmarks/`; what was tried and left
out stands in `docs/decisions.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Spreads(NamedTuple):
    """Standard deviations of log seconds around what past tasks let expect."""

    tasks: float  # of whole tasks, and of machines
    families: float  # of families within a task
    trials: float  # of trials within those


class Grid(NamedTuple):
    """Numbers spaced evenly by their logarithms."""

    low: float
    high: float
    number: int


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How past tasks are read, weighed against results, and asked; `OPTIONS` are the values in use.

    See Also:
        `AdaptivePortfolio`, `Guard`.

    Example:
        >>> OPTIONS.floor_quantile, OPTIONS.size_spread
        (0.25, 2.0)
    """

    # ------------------------------------------------------------------------------------------ scale, past
    # The quantile of a task's scores at which the normalised score is 0. Regret at 1, 3, 5 and 10 trials on validation
    # families: .118 .037 .020 .005 from the quartile, .139 .038 .019 .005 from the lower decile, .127 .035 .016 .007
    # from the median (warm_start.py --ablation).
    floor_quantile: float = 0.25
    # Of the configurations that one past task alone evaluated, so many of its best ones are kept. Judgement, not
    # measured: a search leaves thousands that nobody else has tried and that were nothing special.
    single_task_best: int = 3

    # ------------------------------------------------------------------------------------------ completion
    # Length scale, in the unit cube, over which a configuration's score predicts another one's. Judgement, not
    # measured.
    reach: float = 0.3
    # Variances as shares of that of all known normalised scores: of the prior covariance, of what sets configurations
    # apart on all tasks, and of the noise to begin with. Judgement, not measured; all three are learned from there.
    prior_covariance: float = 1.3
    prior_means: float = 0.25
    first_noise: float = 0.1
    # The prior covariance counts as so many tasks, as a share of those there are, the prior means as so many tasks.
    # Judgement, not measured; how well hidden entries are predicted is warm_start.py --holes.
    covariance_tasks: float = 0.05
    mean_tasks: float = 2.0
    # Configurations that few tasks evaluated were tried because they promised to be good there, and kept because they
    # were: evaluated on n tasks, one has noise 1 + (single_task_noise / n)^2 times as large. Without, the regret of
    # another task after 3 trials tripled (warm_start.py --own).
    single_task_noise: float = 10.0
    # Rounds of expectation maximisation, and the operations that all of them may take: a large table is learned in
    # fewer. Judgement: a second on one core.
    completion_rounds: int = 3
    completion_operations: float = 2e9
    # Entries of one task that are used: they determine it. Judgement, not measured.
    completion_entries: int = 60

    # ------------------------------------------------------------------------------------------ similarity
    # The distance to this neighbour, typical over the past tasks, is one unit. Judgement, not measured.
    unit_neighbour: int = 5
    # A task whose nearest neighbour is further away than this share of past tasks' nearest neighbours resembles none.
    # Judgement: one in twenty.
    strange_quantile: float = 0.95
    # Tasks that share fewer than this part of the known meta-features cannot be compared. Judgement, not measured.
    shared_metafeatures: float = 0.5
    # What a past task without an embedding counts for one with, and the other way round, before anything else.
    # Judgement: a hundred of the first together as much as one of the second.
    other_space: float = 0.01
    # Share of a past task's weight that does not depend on meta-features; 1 = on none of it (warm_start.py --ablation:
    # "no similarity weights").
    similarity_floor: float = 0.5
    # Standard deviation of the logarithm of the rows: a task 4 times as large has 79 % of the weight, one 20 times,
    # 33 % (warm_start.py --ablation: infinite, 1.5 and 3). And the least weight of a task of quite another size.
    size_spread: float = 2.0
    size_floor: float = 1e-3

    # ------------------------------------------------------------------------------------------ ranker
    # Past tasks before a ranker is learned; with more than there are it never is (warm_start.py --ablation: "no learned
    # ranker"). Judgement, not measured.
    ranker_tasks: int = 10
    # Root mean square difference of ranks of meta-features, which are 0.41 apart for unrelated tasks. 0.2 to 0.5 are
    # alike (tried when it was built; no command was kept).
    ranker_width: float = 0.35
    # Ridges that leave-one-out chooses from; the last is next to no trust in meta-features.
    ranker_ridges: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
    # Noise, as a variance, of known configurations where the forecast of others is carried over. Judgement.
    carry_over_noise: float = 0.1

    # ------------------------------------------------------------------------------------------ cover
    # Standard deviation of a past normalised score as a forecast; without it the greedy step sees no gain any more once
    # every task is covered. Judgement, not measured.
    forecast_noise: float = 0.03
    # How much of the uncertainty of imputed entries counts as a chance of improvement. With all of it, what hardly any
    # task evaluated comes before what many know to be good, and configurations of past tasks' own searches harm; with
    # none those do least harm (warm_start.py --own), and replays of the memory itself are a little worse (--ablation).
    optimism: float = 0.5
    # Variance of a task around the past one that it is like, in units of the variance over past tasks; 1e-6: results
    # change weights only (warm_start.py --ablation).
    bandwidth: float = 0.4
    # Standard deviation of a result, in normalised scores (varied together with `bandwidth`).
    result_noise: float = 0.1
    # Share of the belief that no result changes (warm_start.py --ablation: .3, "results count for more").
    unmoved_share: float = 0.6
    # Lowest and highest logarithm, and number, of the scales that are tried between the spread of results and that of
    # normalised scores; the standard deviation of their offset, in normalised scores; and the share by which the
    # covariance is drawn to its diagonal. Judgement, not measured.
    table_log_scales: tuple[float, float, int] = (-1.2, 1.2, 7)
    offset_std: float = 0.3
    shrinkage: float = 0.1

    # ------------------------------------------------------------------------------------------ cost
    # A configuration's own slope over sizes counts as much as everybody's after about so many tasks. Judgement.
    slope_tasks: float = 3.0
    # Rows of samples between which seconds are compared (all of them judged by one hold-out), and as how many pairs of
    # samples it counts that they grow as the rows do. Judgement.
    curve_rows: int = 10_000
    curve_prior: float = 4.0
    # Seconds that even the cheapest trial takes. Judgement, not measured.
    least_seconds: float = 0.05
    # Of configurations that past tasks know, and of others. What costs.py finds, on one kind of machine, is .2, .3, .4
    # and .2, .5, .6: there is more here, because machines differ.
    known_spreads: Spreads = Spreads(0.5, 0.3, 0.4)  # noqa: RUF009 - immutable
    other_spreads: Spreads = Spreads(0.5, 0.6, 0.6)  # noqa: RUF009
    # Seconds; what takes less is counted as the start of the trial's process. Measured: a process from the forkserver
    # and its first imports.
    start_seconds: float = 0.3

    # ------------------------------------------------------------------------------------------ experts
    # Warped scores are ``offset + scale z``: the scales that are tried, in units of the spread of the scores seen. The
    # scores of good configurations spread less than those of the whole task: mostly above 1. Judgement, not measured.
    scales: Grid = Grid(0.4, 12.0, 9)  # noqa: RUF009
    # Variances, in warped scores, of what a result of fidelity 0 is off by: in common, and alone. Judgement.
    common_drift: float = 4.0
    own_drift: float = 1.0
    # Of a cold process: length scales, times the root of the number of active parameters, and noise variances.
    # Judgement, not measured; the evidence chooses among them.
    cold_lengths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    cold_noises: tuple[float, ...] = (1e-3, 3e-2)
    # A process with less than this share of the evidence of its expert's best takes no part in predictions. Judgement:
    # it saves time.
    kept_share: float = 0.3
    # Chance of failure before any result, as if seen once, and how far a failure reaches, as `cold_lengths`. Judgement.
    failure_prior: float = 0.02
    failure_length: float = 0.25

    # Of a constraint: over which lengths, as `cold_lengths`, and which shares that are each task's own the likelihood
    # chooses; its noise; and how many results count, of past tasks and of this one. Judgement: in the tests' example
    # (the best configuration on the boundary) as many trials are feasible as with TPE, or more.
    constraint_lengths: tuple[float, ...] = (0.2, 0.5, 1.2)
    constraint_shares: tuple[float, ...] = (0.1, 0.5)
    constraint_noises: tuple[float, ...] = (1e-6, 1e-2)
    constraint_past: int = 200
    constraint_results: int = 200
    least_feasible: float = 1e-6  # of the chance that all are kept: where none is likely, improvement still decides

    # ------------------------------------------------------------------------------------------ past tasks as experts
    # Configurations of the past that are used, those that most tasks evaluated, and how many of them one task's
    # interpolation uses. Judgement: what fits into the time of an answer.
    past_configurations: int = 500
    per_task: int = 150
    # Variances of the residual, that is of what a past task does not explain. Judgement; the evidence chooses.
    residual_variances: tuple[float, ...] = (0.05, 0.25, 0.8)
    # Length scales tried for the interpolation, and the noise variance of past scores. Judgement, not measured.
    past_lengths: tuple[float, ...] = (0.3, 0.6, 1.2)
    past_noise: float = 0.02

    # ------------------------------------------------------------------------------------------ past studies' functions
    # Trials of one study that are used, the best third and an even selection of the others. Judgement: the time of a
    # posterior grows with its square.
    study_trials: int = 60
    # Length scales that are tried, in roots of the number of active parameters, and the share of the variance that is
    # common to a family. The evidence of the studies chooses among the lengths; the share is judgement.
    population_lengths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    population_level: float = 1 / 3
    # How relevant parameters are: noise variances that are tried, rounds over all parameters, and the gain in log
    # evidence of all studies that a change of a scale must bring. On nap_xgb the regret after 10 is .339 with it, .400
    # without; on rbv2_xgboost .216 and .235 (own_studies.py --half validation, 20 past studies).
    relevance_noises: tuple[float, ...] = (0.01, 0.05, 0.2)
    relevance_rounds: int = 2
    relevance_gain: float = 1.0
    # Features, points among which the inducing ones are chosen, and studies by which length scales are chosen. With
    # 150 features regret after 10 is .122, .231 and .332 on lcbench, rbv2_xgboost and nap_xgb, with 100 .121, .211 and
    # .335. The others are judgement: the time of learning.
    population_features: int = 100
    population_pool: int = 1500
    population_panel: int = 24
    # Rounds of expectation maximisation for each length on those, and then, at most; with many studies there are fewer,
    # so that no more than so many posteriors are made. On nap_xgb the regret after 3 is .504 with 10 rounds, .544 with
    # 4 (own_studies.py --half validation, 20 past studies).
    panel_rounds: int = 3
    population_rounds: int = 10
    population_posteriors: int = 600
    # Variances, in warped scores, of the noise to begin with, of a study's offset, and (as a share) of what the
    # features cannot express. Judgement, not measured.
    population_noise: float = 0.1
    population_offset: float = 1.0
    population_residual: float = 0.5
    # The prior covariance, that of a Matérn process, counts as so many studies, the prior mean as so many.
    covariance_studies: float = 5.0
    mean_studies: float = 1.0
    # Best trials of each study that stand in the table; columns in it, and columns that are put in the order in which
    # they cover the studies. Judgement: the time of an opening.
    study_best: int = 5
    table_columns: int = 500
    covering_columns: int = 64
    # Random configurations by whose median a study's usual score is told. Judgement.
    usual_points: int = 500
    # Standard deviations by which an expected score is lowered before it counts in the portfolio, and that of a
    # normalised score as a forecast.
    study_pessimism: float = 0.5
    study_forecast_noise: float = 0.05
    # The floor of a study's normalised score lies so far below its usual one, in distances of that from its best: a
    # configuration that is far worse than usual on some studies is no first proposal. On nap_xgb the regret of the
    # first is .80, with 0 it is 1.02; on lcbench both are alike (own_studies.py --half validation, 20 past studies).
    study_floor: float = 1.0
    # Shares of the population's covariance that are left between this task and the study that it is like, and variance
    # of a residual that no study explains. Shares of .5 and 1, and a variance of .2, are alike.
    study_shares: tuple[float, ...] = (0.15, 0.5)
    study_residual: float = 0.05
    # Variance of a result's noise, at least. Judgement.
    study_noise: float = 0.01

    # ------------------------------------------------------------------------------------------ improve
    # Weights of the experts before any result; who is not named takes no part. Beside a surrogate the past tasks have
    # none: on validation tasks of Oboe, regret at 10 was .021 with them as equals, .014 without, and an answer took
    # 40 % longer (surrogate.py: "guard, past tasks too").
    with_surrogate: tuple[tuple[str, float], ...] = (("transfer", 0.9), ("cold", 0.1))
    without_surrogate: tuple[tuple[str, float], ...] = (("past", 0.8), ("cold", 0.2))
    # Evaluations that a belief is made of; with so many finished ones the cold sampler takes over, because a Gaussian
    # process becomes slow. Judgement: tens of milliseconds an answer.
    longest_history: int = 300
    # Candidates of a suggestion, neighbours in each round of refinement, and rounds. Judgement: the time of an answer.
    candidates: int = 256
    neighbours: int = 64
    refinements: int = 2
    # Under a time budget a trial costs its share of the time that is left, and one of so many places. With 1, 5, 10,
    # 20, 40 and 100 of them the regret after 15 mean trials' time is .028, .019, .019, .018, .020, .023 (costs.py).
    places: int = 20
    # Share of neighbours that change a category. Judgement, not measured.
    category_change: float = 1 / 6

    # ------------------------------------------------------------------------------------- several objectives
    # Past tasks that count, the last ones; results of each; members of each front that are candidates; points of the
    # cube by which hypervolume is measured. Judgement: a first proposal takes some tens of milliseconds.
    front_tasks: int = 60
    front_results: int = 120
    front_members: int = 8
    front_points: int = 256
    # The process over a past task's results: its length, as `cold_lengths`, and its noise; standard deviations that a
    # past task expects less where it does not know; the weight of a past task that does not agree at all. Judgement.
    front_length: float = 0.6
    front_noise: float = 0.01
    front_pessimism: float = 0.5
    front_doubt: float = 0.1

    # ------------------------------------------------------------------------------------------ meta-training
    # Widths of the network, and the number of its features. Judgement, not measured.
    latent: int = 48
    hidden: int = 64
    features: int = 24
    # Steps of each member network, tasks in a step, results of a task. Judgement: a minute of training.
    steps: int = 1500
    episode_tasks: int = 16
    episode_results: int = 32
    # Learning rate, the steps in which it rises, the share of the mean weights that a step keeps, and weight decay.
    # Judgement, not measured.
    rate: float = 3e-3
    warm_up: int = 50
    averaging: float = 0.995
    decay: float = 1e-4
    # Prior variance of a task's level, in labels: at search time it is not known.
    level_variance: float = 1.0
    # Steps between two validations on held-out tasks. Judgement, not measured.
    validation_steps: int = 100
    # Past tasks without which there is nothing to learn from. Judgement, not measured.
    fewest_tasks: int = 4

    # ------------------------------------------------------------------------------------------ made columns
    # Past tables where a family was tried with made columns without which nothing is told of it, and the share of their
    # weight on which it paid below which it is not tried. Judgement: no table has told yet.
    made_tables: int = 3
    made_in_vain: float = 0.3


OPTIONS = TransferOptions()
