"""The tuned numbers of the search: what each means, its unit, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Constants of a search; `OPTIONS` are the ones in use, and a `SearchPlan` takes others.

    Shares are of the time budget unless something else is said.
    """

    # -------------------------------------------------------------------------------------------------------- budget

    # Seconds, when neither a time nor a number of trials is given. Judgement.
    default_seconds: float = 60.0

    # Share set aside for ensembling, refitting and remembering, of so many seconds, and of what is beyond those; its
    # bounds in seconds. Judgement; that budgets hold with it is measured by `benchmarks/speed.py`. With a tenth of five
    # minutes, 42, 53 and 58 s of them were left over on three tables of some thousand rows (`benchmarks/fit.py`).
    reserve: float = 0.1
    reserve_until: float = 60.0
    reserve_beyond: float = 0.02
    least_reserve: float = 1.0
    most_reserve: float = 30.0

    # Times that reserve on a machine where a processor second takes longer, at most. Judgement.
    crowded_reserve: float = 2.5

    # Seconds for what has no time budget, so that a hang still ends. Judgement.
    unhurried: float = 600.0

    # Seconds for meta-features, at most, and the share they may take. Judgement.
    describe_seconds: float = 1.0
    describe_share: float = 0.05

    # Least bytes of memory for a trial: it starts from about 300 MB, most of it shared with the others (measured).
    least_ram: int = 400_000_000

    # Bytes of the process that searches, with a small table, and of the one that trials are forked from (measured: 300
    # MB each), and the least of which something is left for a trial.
    parent_ram: int = 600_000_000

    # Share of the free memory of the machine that all trials at once may take. Judgement.
    ram_share: float = 0.8

    # Rows that a model answers at once: of 50 columns 26 MB, and of those that a pipeline makes of them a few times as
    # much. Fewer cost time for each part. Judgement.
    answered_rows: int = 1 << 16

    # -------------------------------------------------------------------------------------------------------- trials

    # Share that a trial should take at most once there is something to fall back on. Judgement.
    trial_share: float = 0.25

    # Of the trials that run at once, the share that is proposed from one belief, at most so many: below eight at once
    # each has one of its own, which costs little beside the trials. What a proposal costs, and what that does for 32
    # workers: benchmarks/cluster.py, `coordinator`.
    proposed_share: float = 0.25
    most_proposed: int = 16

    # Times that share after which a trial is killed that aimed at it: one that is nearly done may end. Judgement, from
    # trials of large tables that had finished two folds of three.
    grace: float = 1.5

    # Before anything has finished, the share of what is left that a trial gets, and the least in seconds: then there is
    # always a next try, and a cheaper one. Judgement.
    first_share: float = 0.5
    least_first: float = 2.0

    # Seconds of a tree of boosting on few rows (LightGBM, 3,000 to 12,500 rows of 10 columns, a thread: 1.2 to 2.2
    # ms), and classes from which those families come first whose work does not grow with them. Judgement.
    tree_seconds: float = 0.002
    many_classes: int = 50

    # Processor seconds that a budget must hold for trials to run in processes of their own: with fewer (`--time 5` on
    # an idle machine) not one trial of theirs ended, while three defaults did in the search's own.
    processor_to_begin: float = 5.5
    most_crowded: float = 3.0  # seconds of the wall for one of a processor: what more there is will not last

    # Of trials in the search's own process: the seconds that each has, however late it is; by how many seconds loading
    # their library may pass the budget, else there is none; the cells, times classes, of a table whose linear model is
    # tried, which does not end by itself; and the rows up to which there are three folds: of few held-out rows one
    # model seems much better than another by chance. Judgement, judged by `benchmarks/fit.py --load 8 --time 3 5`.
    least_here: float = 0.5
    late_here: float = 2.0
    cells_here: int = 100_000
    folds_here: int = 2_000

    # Seconds, the shortest deadline of a trial. Judgement.
    shortest: float = 0.1

    # Of what the quickest trial took that came to an end, what must be left for another to begin: boosting can make do
    # with less, little else can. Of 3,000 rows and 30 s, 8 of 15 trials ran out of time near the end. Judgement.
    least_left: float = 0.5

    # Trials that are the recommender's, at most, and never more than half of a trial budget; then the guided search.
    # Judgement; what the first trials are worth is measured by `benchmarks/warm_start.py`.
    warm_trials: int = 5

    # Trials of a family one after another that ran out of time, after which it is not proposed again. That of ten such
    # trials of one family in `make demo` none came to an end was measured; the number is judgement.
    late_trials: int = 3

    # Recommendations that are kept for people to read. Judgement.
    shown: int = 10

    # The first model: the share of the budget and the least seconds that it may take, and its most rows. That of 50,000
    # rows a quick linear model gains nothing by more is judgement; the share and the seconds are what is promised.
    first_model_share: float = 0.1
    first_model_least: float = 2.0
    first_model_late: float = 0.5  # seconds that it has even where the budget is over
    first_rows: int = 50_000

    # Cells per second of the budget from which the library's default is tried first: past tasks know no such tables
    # (15,000 rows at most), and propose what takes too long there (`benchmarks/scale.py`). Judgement.
    default_first_load: float = 15_000

    # ------------------------------------------------------------------------------------------------------ patience
    # Trials before which a search does not end by itself, and of the noise of the best score the share that the rest of
    # the budget must promise for it to go on. Chosen on the validation half of `benchmarks/patience.py`.
    patient_trials: int = 12
    # Rows above which it never does: a larger table tells better configurations apart for longer, and an ensemble goes
    # on gaining when its best member does not. On pol (11,250 rows, one core) the error was 4.40 when it ended after 38
    # of 60 s, 4.07 at two cores' full time. The number is judgement: small tables are those that need not wait.
    patient_rows: int = 2_000
    impatience: float = 0.1

    # -------------------------------------------------------------------------------------------------- made columns
    # The families that are tried with made columns whatever else is known: on 31 held-back tables the linear model's
    # loss with arithmetic is .92 of that without, kept if it pays, LightGBM's .996 (`benchmarks/features.py`).
    made_first: tuple[str, ...] = ("linear",)
    # Complete trials before that, trials for each such trial but the first, and the least budget of trials. Judgement.
    made_after: int = 3
    made_every: int = 10
    made_trials: int = 15
    # Times the trial without, seconds a fold of choosing what is made (measured: .1 to 1 s), and the share of the time
    # left that it may be expected to take. Judgement.
    made_longer: float = 1.5
    made_seconds: float = 1.0
    made_share: float = 0.2

    # ---------------------------------------------------------------------------------------------- foundation models
    # Complete trials before the first of a foundation model, the share of the time left that it may be expected to
    # take, how far ahead it has to be for others of its configurations to be tried, trials for each of those, and draws
    # among which one is looked for that there is time for. Judgement.
    foundation_after: int = 3
    foundation_share: float = 0.3
    foundation_among: int = 5
    foundation_every: int = 8
    foundation_draws: int = 30

    # ---------------------------------------------------------------------------------------------------------- rows
    # From so many rows on a table has rungs, each so many times the rows of the one below, and as many trials of a rung
    # as go to one that goes on. The rows are the issue's; four is the usual factor of successive halving.
    sampled_from: int = 20_000
    halving: int = 4

    # Share of the budget that the default of boosting is to take on the base rung, times which it may take longer
    # before the base moves down, and cells that it fits in a second on one CPU (`benchmarks/scale.py --pace`).
    sample_share: float = 0.04
    sample_slack: float = 1.5
    boosted_cells: float = 2e6

    # Times the longest that a trial should take, which boosting may be expected to take with more rows. Judgement.
    boosted_climb: float = 2.0

    # Of the longest that a trial should take, what one on a sample should: there are to be many of them. Judgement.
    sample_trial_share: float = 0.5

    # The best goes up for the last time once there is less than the square of this times the time that it takes on all
    # rows, and then with so many rows that it should take the time that is left over this; if those are not so many
    # times what it knows, it stays. Judgement.
    last_climb: float = 1.3
    least_climb: float = 1.5

    # Of the rows that there is time for, those that a member is fitted on where there is no time for all. Judgement.
    partial_refit: float = 0.8

    # Times the rows that its models learned from, on which a member is fitted anew where there is no time for all rows.
    # Judgement.
    worth_refitting: float = 1.5

    # Times the rows of its training side that the whole table has, up to which a model of the hold-out need not be
    # fitted anew: no time is kept for that. Judgement.
    as_good_as_all: float = 1.05

    # -------------------------------------------------------------------------------------------------------- splits
    # Cells of the table per second of the budget, above which a trial is judged by three folds, or by a hold-out.
    # `benchmarks/folds.py` at 60 s (`results/folds.jsonl`), tables of 13,000 cells per second and more: three folds err
    # more than a hold-out by 8 % (kropt) and 88 % (avila), and less by 1.6 % on the one with 11,000 rows (ailerons).
    three_folds_load: float = 5_000
    hold_out_load: float = 30_000

    # Rows of which a hold-out takes a sixth at most, and the load above which such a table gets one.
    large: int = 15_000
    large_hold_out_load: float = 8_000

    # Classes above which a table counts as larger in proportion: boosting fits a tree for each. Judgement.
    free_classes: int = 5

    # Cells from which a table's fingerprint is computed while trials run: a million take a quarter of a second of a
    # processor, measured on 4,000,000 rows of 20 columns. Judgement.
    hashed_beside: int = 5_000_000
    # Seconds of the budget from which small tables are split repeatedly. Judgement.
    repeats_from: float = 300.0

    # -------------------------------------------------------------------------------------------------------- finish

    # Best trials whose predictions may enter the ensemble, and whose fold models are kept. Judgement.
    candidates: int = 25

    # Bytes of their predictions that are held at once: fewer candidates where classes are many. Judgement.
    candidate_bytes: int = 1 << 30

    # Numbers of a candidate's predictions by which the ensemble is chosen: of 500 classes 4,000 rows. Judgement.
    ensemble_cells: int = 2_000_000

    # Additions that the greedy ensemble tries; weights are multiples of one over the number kept. Judgement.
    ensemble_rounds: int = 40

    # Rows above which every other trial of the guided search is of a family not tried yet. On eighteen tables of 600
    # rows at most it is worth no more than another one, on two of 4,000 more (`benchmarks/ensembles.py`); what is
    # between is judgement.
    newcomers_above: int = 2_000
    # How far predictions of two families are apart is told by so many held-out rows: some milliseconds. Judgement.
    newcomer_rows: int = 2_000

    # Rows up to which the fold models answer beside the refitted one: so many were measured to gain by it. On larger
    # tables, of three folds mostly, the refitted model alone errs less (benchmarks/answering.py --larger).
    fold_models_rows: int = 4_000

    # Bytes of fold models in the final model, at most. That they answer beside the refitted model is measured: a scaled
    # score of .9434 instead of .9335 on 50 tables (`benchmarks/answering.py`). The size is judgement.
    fold_models_bytes: int = 64 << 20

    # Beyond the usual reserve, the largest share that is kept for fitting the best on all rows: models of folds know a
    # part of the rows only, and on 11,000 rows the error of such a forest was a tenth larger. The share is judgement.
    refit_share: float = 0.2

    # Members that time is kept for, each as the best: those for which there was none answered by the models of three
    # folds, and pol's error was 4.6 by them, 4.3 by the refitted model (benchmarks/answering.py --larger).
    refit_members: float = 2.5

    # Of the expected time of that fit what is wanted for it, and of the reserve what counts as there for it. Judgement.
    refit_margin: float = 1.2
    refit_reserve: float = 0.5

    # Of the reserve, what must be left for the ensemble to try another addition, and for a fit to go on. Judgement.
    ensemble_until: float = 0.6
    refit_until: float = 0.4

    # ------------------------------------------------------------------------------------------------ looking at a run

    # How often a journal that looks damaged is read again, and seconds between: it may be in the middle of an entry,
    # which takes a synchronised write. Judgement, not measured.
    looks: int = 6
    look_again_seconds: float = 0.1
    # Seconds after the last entry of a journal within which somebody is taken to work on it. Judgement: the lock, which
    # is asked after that, is then not touched in the moment in which a search begins.
    quiet_seconds: float = 5.0


OPTIONS = SearchOptions()
