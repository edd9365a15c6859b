"""Every tuned number of the families, with its unit, its meaning and where its value comes from.

The ranges and defaults of the search spaces are not here: they stand in the family's file, and changing one changes
what a stored configuration means. Nor are the sizes of the set kernel's network, which belong to its shipped weights.

A value without a source is a judgement: it was chosen by whoever wrote it and has not been measured against others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TruncationOptions:
    """How training that ends at a deadline plans ahead."""

    first_rounds: int = 10  # of the first piece, where a library is asked for pieces; judgement
    share_of_rest: float = 0.8  # of the time left, what the next piece is planned to take; judgement


@dataclass(frozen=True, slots=True)
class PreprocessingOptions:
    """From the typed columns of a table to one numeric matrix."""

    most_one_hot: int = 500  # columns of all one-hot encodings of a table: the matrix is dense; judgement
    most_codes: int = 250  # per column: histogram learners keep a category in one byte (256 values, some reserved)
    most_target_classes: int = 10  # columns of one target encoding, a class each, the rarest share one; judgement
    words: int = 2000  # of a text column that are weighed; judgement
    text_components: int = 30  # of a text column; judgement
    shared_cells: int = 4_000_000  # of inputs that are kept while a table is answered, 32 MB; judgement
    rows_on_one_thread: int = 100  # up to which a learner answers on one thread; judgement: waking others takes 10 ms
    words_for_parts: float = 1.5  # on average, below which a text column is read by parts of its words; judgement


@dataclass(frozen=True, slots=True)
class AdditiveOptions:
    """The curves of an additive model, and how large a table may be."""

    knots: int = 10  # of a spline, at quantiles; judgement
    least_distinct: int = 6  # values of an input that gets a curve; judgement
    most_bent: int = 300  # inputs that get a curve, those that tell most of the target; judgement, bounds memory
    most_multiplied: int = 25  # inputs whose products are taken: 300 products; judgement
    # Standard deviations of an input beyond which its products grow no more. Measured: one mistyped cell of `diamonds`
    # (second fold of the suite) made a prediction of 184,696 for a price of 12,210; the ensemble's RMSE was 664,
    # and 555 without that row.
    reach: float = 5.0
    most_cells: float = 3e6  # rows * columns * classes: a column becomes a dozen inputs; half a minute on one core


@dataclass(frozen=True, slots=True)
class BoostingOptions:
    """What the four boosting libraries share."""

    most_trees: int = 20_000  # a round grows a tree per class: 2000 rounds of 10 classes is as far as a trial goes
    patience: int = 50  # rounds without improvement; judgement: fewer end small learning rates too early
    held_out: float = 0.15  # share of the rows for early stopping; judgement
    fewest_rows: int = 20  # below it nothing is held out; judgement
    largest_rate: float = 0.2  # to which the learning rate is raised where there is time for few rounds only; judgement
    refit_below: int = 10_000  # rows; on small tables the held-out rows are worth a second fit; judgement
    # Leaves whose trees stay in a processor's cache while LightGBM answers. Measured: a third of the time that all
    # rounds at once take on large tables.
    cached_leaves: int = 8_000
    # Rows times trees below which LightGBM answers on one thread. Measured on two CPUs: a row takes .1 ms so.
    trees_for_threads: int = 50_000
    most_catboost_classes: int = 30  # a round costs as much as its classes; judgement
    most_histogram_classes: int = 100  # scikit-learn grows a tree per class and round; judgement


@dataclass(frozen=True, slots=True)
class ForestOptions:
    """Random forests and extra trees: how large a table may be."""

    most_cells: int = 3_000_000  # rows * classes: fully grown, a hundred trees take some 2 GB


@dataclass(frozen=True, slots=True)
class SupportVectorOptions:
    """Support vector machines with a kernel."""

    most_steps: int = 200_000  # of libsvm's solver: some 20 s on 10,000 rows, then the half-solved machine is taken
    most_repeated: int = 2000  # rows, up to which calibration holds rows out several times; judgement
    repeats: int = 4  # of that; judgement: a calibration on few held-out rows is unsteady
    held_out: float = 0.25  # share of the rows that calibration looks at; judgement
    pull: float = 0.05  # of the calibration towards slope 1 and no bias, log loss per squared unit; judgement
    kernel_memory: float = 300.0  # MB of libsvm's kernel cache (its default is 200); judgement
    most_rows: int = 10_000  # time grows with the square of the rows; judgement
    most_classes: int = 40  # a machine for each pair; judgement


@dataclass(frozen=True, slots=True)
class LinearOptions:
    """Iteration caps of the solvers; judgement, all of them: half-converged coefficients predict about as well."""

    logistic_steps: int = 200  # of L-BFGS
    elastic_logistic_passes: int = 100  # of SAGA, over all rows
    elastic_passes: int = 500  # of coordinate descent, over all columns
    tolerance: float = 1e-3  # of SAGA and of coordinate descent
    # Rows up to which a quantile is fitted: a linear programme, of 3,000 rows and 30 inputs some seconds. Judgement.
    quantile_rows: int = 3_000


@dataclass(frozen=True, slots=True)
class DiscriminantOptions:
    """Regularised discriminant analysis: how large a table may be."""

    most_cells: float = 1e7  # of all covariances: 80 MB
    most_products: float = 1e12  # rows * cells: a minute on one core


@dataclass(frozen=True, slots=True)
class NeighboursOptions:
    """Nearest neighbours: how large a table may be."""

    most_products: float = 2e11  # rows * rows * columns: some minutes of prediction on one core


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """The neural network. `benchmarks/mlp.py` compares it, as it stands, with RealMLP and TabM."""

    waves: int = 16  # frequencies per number; RealMLP's (PBLD)
    mixed: int = 3  # numbers into which the waves of one number are mixed; RealMLP's, the number itself is the fourth
    most_waved: int = 128  # numbers; above it the waves would cost more than the network; judgement
    fewest_epochs: int = 2  # the low end of the space; less time than that is a timeout
    fewest_steps: int = 20  # of training, however few the rows; judgement
    validations: tuple[int, int] = (10, 40)  # at least and at most: two per epoch within these; judgement
    patience: int = 12  # validations without improvement; judgement
    held_out: float = 0.15  # share of the rows for validation; judgement
    betas: tuple[float, float] = (0.9, 0.95)  # of Adam; RealMLP's
    most_operations: float = 1.0e12  # floating-point operations of one fit: about 30 s on one core
    timed_steps: int = 4  # that are timed under a deadline, to plan the epochs; judgement
    share_planned: float = 0.9  # of the time that is left, what training is planned to take; judgement


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """The Gaussian process. `benchmarks/gaussian_process.py` compares it, as it stands, with five other families."""

    fewest_inducing: int = 200  # the low end of the space, and the size that is timed under a deadline
    most_length_scales: int = 200  # inputs; above it they share one; judgement
    learning_steps: tuple[int, int] = (40, 5)  # of L-BFGS, on a quarter of the rows and then on all it is given
    fewest_rows: int = 100  # that a kernel is learned on first, where there are as many; judgement
    power: float = 2.5  # of the inducing rows, with which time grows at most; between the square and the cube
    share_planned: float = 0.8  # of the time that is left, what may be planned; judgement
    chunk: int = 1024  # rows that are seen at once; judgement, bounds memory
    jitter: float = 1e-8  # of a matrix's mean diagonal, added to it
    noises: tuple[float, float] = (1e-6, 1e1)  # least and most, in the target's variance
    amplitudes: tuple[float, float] = (1e-3, 1e3)  # least and most
    slopes: tuple[float, float] = (1e-6, 1e2)  # least and most variance of the linear kernel
    lengths: tuple[float, float] = (1e-2, 1e4)  # least and most length scale
    # Mean of the log of a length scale, beside half the log of p (Hvarfner, Hellsten and Nardi, 2024), and its spread:
    # theirs is sqrt(3); ours is narrower, since tables of a hundred rows must not choose fifty length scales.
    prior: tuple[float, float] = (math.sqrt(2), 0.5)
    most_rows: int = 100_000  # time grows with the rows, however few the inducing ones; judgement


@dataclass(frozen=True, slots=True)
class SetKernelOptions:
    """The set kernel. `benchmarks/small_tables.py` compares it, as it stands, with four other families."""

    doubt: float = 1.0  # summed log loss that a factor of e in the network's sharpness has to earn; judgement
    most_columns: int = 64  # that go best with the classes; the network saw up to 32 in training; judgement
    most_rows: int = 3_000  # it solves a system as large as there are rows; judgement
    most_classes: int = 20  # judgement


@dataclass(frozen=True, slots=True)
class FewShotHeadOptions:
    """Few-shot heads on embeddings. `benchmarks/embeddings.py` compares them, as they stand, with others."""

    most_cells: float = 3e8  # rows * columns * classes: some ten seconds of logistic regression on one core
    most_covariances: float = 1e7  # numbers in the classes' covariances: 80 MB; beyond it all classes share one
    many_columns: int = 100  # numbers of a table that may be taken as one vector, though nothing says that they are
    few_rows: int = 1_000  # up to which they are; judgement, both
    parts: int = 5  # that are left out in turn to find the scale of the logits; judgement
    # Median distance between the best logit and the worst of the rows that a head was solved for, where each class has
    # one, in logarithms of the number of classes. Measured on four sets of `benchmarks/embeddings.py` of 9, 10, 10 and
    # 100 classes: of 2, 4, 6, 8, 12 and 16 the distances of least log loss were 8 or 12, 6 or 8, 6 or 8, and 12.
    lone_gap: float = 3.0
    # Least and most scale of the logits, in units of the median distance between the best score and the worst, and
    # how many are tried. Judgement: from undecided to certain.
    sharpness: tuple[float, float] = (0.1, 1000.0)
    sharpnesses: int = 33


@dataclass(frozen=True, slots=True)
class InContextOptions:
    """Foundation models: how large a table may be, and what a forecast of their time is made of."""

    # Least and most rows that they are shown, and how many by default. Judgement: the time grows with their square.
    rows: tuple[int, int, int] = (256, 20_000, 10_000)
    most_classes: int = 10  # both networks' own
    most_columns: int = 500  # TabICL was trained on up to 100, its makers go to 500; TabDPT projects those above 100
    most_cells: float = 1e7  # rows shown * columns * classes: with 8 members an hour on one core; judgement
    answered: int = 10_000  # rows that are answered at once: bounds memory; judgement
    # Floating-point operations of one member: for each row twice the parameters, for each row and row shown four times
    # the width of the network times its blocks (both: 12 blocks of 512), for each cell those that TabICL embeds it by.
    # Measured with weights at random, on one core of 17 Gflop/s: 800 and 8,000 rows shown of 10 and 40 columns took 4.5
    # to 243 s, and this says 4.6 to 330 s (docs/decisions.md).
    parameters: float = 3e7
    pair: float = 4.0 * 512 * 12
    cell: float = 4e6
    # Seconds until package and weights are loaded, in each trial's process: measured, 6 s on a busy core.
    loading: float = 6.0
    gpu_speed: float = 1e13  # operations a second of a GPU; judgement, the first trial corrects it
    timed_seconds: float = 0.05  # for which a processor's speed is measured


@dataclass(frozen=True, slots=True)
class QuickOptions:
    """The first model of a search, which is there at once (`learners.quick`)."""

    bins: int = 8  # of a number, at its quantiles, and one for what is missing; judgement
    most_levels: int = 16  # of a category that have an input, the most frequent; judgement
    most_columns: int = 32  # those whose bins explain most: some 300 inputs; judgement
    piece: int = 2_000  # rows, the first of which choose the columns; a piece takes some 10 ms on an idle core
    reach: float = 3.0  # standard deviations from the centre beyond which a number counts as that; judgement
    penalty: float = 1.0  # of a number's weight, in rows; judgement
    bin_penalty: float = 30.0  # of a bin's; judgement
    least_share: float = (
        0.05  # of a class's share of the rows: its least probability, before they sum to one; judgement
    )


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """Columns that are made of others (`learners.features`), and how it is screened which are worth it."""

    fewest_rows: int = 100  # below which nothing is made; judgement
    most_columns: int = 300  # above which as well: such are vectors, pixels, genes, and the quick model takes long
    rows: int = 4_000  # that are looked at; judgement: half a second
    folds: int = 3  # by which the quick model's mistakes are found; judgement
    rounds: int = 60  # of the quick model, where it is boosting; judgement
    leaves: int = 15  # of its trees; judgement
    bins: int = 12  # of equally many rows, by which it is looked for a pattern in the mistakes; judgement
    controls: int = 4  # times that the target is permuted; judgement
    # Of the candidates where it was, the share that a candidate has to be above. Measured on twelve validation tables:
    # where it has to be above all of them nothing is made on `electricity`, and a twelfth of what helps on
    # `sign_language_keel` (`benchmarks/features.py --half validation`).
    level: float = 0.95
    most: int = 12  # columns made in all; judgement
    numbers: int = 10  # whose pairs are candidates, those that tell most; judgement
    categories: int = 6  # as well
    grouped_numbers: int = 6  # as well, within categories
    alike: float = 0.95  # correlation with a better candidate from which on a column is not made; judgement


@dataclass(frozen=True, slots=True)
class FamiliesOptions:
    """The tuned numbers of all families.

    Example:
        >>> OPTIONS.boosting.patience
        50
    """

    truncation: TruncationOptions = field(default_factory=TruncationOptions)
    preprocessing: PreprocessingOptions = field(default_factory=PreprocessingOptions)
    additive: AdditiveOptions = field(default_factory=AdditiveOptions)
    boosting: BoostingOptions = field(default_factory=BoostingOptions)
    forest: ForestOptions = field(default_factory=ForestOptions)
    svm: SupportVectorOptions = field(default_factory=SupportVectorOptions)
    linear: LinearOptions = field(default_factory=LinearOptions)
    discriminant: DiscriminantOptions = field(default_factory=DiscriminantOptions)
    knn: NeighboursOptions = field(default_factory=NeighboursOptions)
    mlp: NetworkOptions = field(default_factory=NetworkOptions)
    gaussian_process: ProcessOptions = field(default_factory=ProcessOptions)
    set_kernel: SetKernelOptions = field(default_factory=SetKernelOptions)
    few_shot: FewShotHeadOptions = field(default_factory=FewShotHeadOptions)
    in_context: InContextOptions = field(default_factory=InContextOptions)
    quick: QuickOptions = field(default_factory=QuickOptions)
    features: FeatureOptions = field(default_factory=FeatureOptions)


OPTIONS = FamiliesOptions()
