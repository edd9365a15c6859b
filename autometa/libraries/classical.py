"""The words of scikit-learn's forests, kernels, lines, neighbours and networks; see `boosted` for how to read them.

Inputs are taken to be standardised, as the families' are, and a numeric target to be as it is in the task.

Source:
    The documentation of scikit-learn 1.9.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from autometa.libraries.words import UNKNOWN, Equivalents, NewTable, always, derived, given, same, without_bound, word
from autometa.space import Config

# forests --------------------------------------------------------------------------------------------------------------


def _columns_of_a_split(config: Config, table: NewTable) -> Equivalents:
    """The share of the columns, and their number where that of the table is known."""
    value, p = config["max_features"], table.columns
    if isinstance(value, str):
        count = None if not p else max(1, int(math.sqrt(p) if value == "sqrt" else math.log2(p)))
        return (value, UNKNOWN) if not p or count is None else (value, count / p, count)
    every = (None, "None", "none") if value == 1.0 else ()
    return (value, UNKNOWN, *every) if not p else (value, max(1, int(value * p)), *every)


def _rows_of_a_leaf(config: Config, table: NewTable) -> Equivalents:
    """A number of rows, and their share where the number of the table's is known."""
    value = config["min_samples_leaf"]
    return (value, UNKNOWN) if not table.rows else (value, value / table.rows)


def _rows_of_a_tree(config: Config, table: NewTable) -> Equivalents:
    """The share of the rows; all of them is None as well. Without resampling there is none."""
    if "max_samples" not in config:
        return ()
    return (config["max_samples"], *(same(None) if config["max_samples"] == 1.0 else ()))


def _criterion(config: Config, table: NewTable) -> Equivalents:
    if table.kind == "regression":
        return ("squared_error",)
    return ("entropy", "log_loss") if config["criterion"] == "entropy" else ("gini",)


FOREST = (
    word("n_estimators", given("n_estimators")),
    word("max_features", derived("max_features", _columns_of_a_split)),
    word("min_samples_leaf", derived("min_samples_leaf", _rows_of_a_leaf)),
    word("bootstrap", given("bootstrap")),
    word("max_samples", derived("max_samples", _rows_of_a_tree)),
    word("criterion", derived("criterion", _criterion)),
    word("class_weight", given("class_weight")),
    word("max_depth", without_bound(None)),
    word("max_leaf_nodes", without_bound(None)),
    word("min_samples_split", always(2)),
    word("min_impurity_decrease", always(0.0)),
    word("min_weight_fraction_leaf", always(0.0)),
    word("ccp_alpha", always(0.0)),
)

# Extra trees as a random forest: the memory has few of the latter. What rows a tree gets is not said.
FOREST_LIKE_EXTRA_TREES = {
    word.names[0]: word.meaning for word in FOREST if word.names[0] not in ("bootstrap", "max_samples")
}

# kernels, lines and neighbours ----------------------------------------------------------------------------------------


def _kernel_width(config: Config, table: NewTable) -> Equivalents:
    """`gamma` of standardised inputs, whose variance is 1: "scale" and "auto" are then the same."""
    multiple = config["gamma"]
    named = ("scale", "auto") if math.isclose(multiple, 1.0, rel_tol=0.05) else ()
    return (*named, UNKNOWN) if not table.columns else (*named, *same(multiple / table.columns))


def _in_the_targets_unit(parameter: str) -> Callable[[Config, NewTable], Equivalents]:
    """The family sees a target of standard deviation 1, the objective's learner the target as it is."""

    def of(config: Config, table: NewTable) -> Equivalents:
        if parameter not in config:
            return ()
        if table.kind != "regression":
            return same(config[parameter])
        return () if not table.spread else same(config[parameter] * table.spread)

    return of


SVM = (
    word("C", derived("C", _in_the_targets_unit("C"))),
    word("kernel", given("kernel")),
    word("gamma", derived("gamma", _kernel_width)),
    word("degree", given("degree")),
    word("epsilon", derived("epsilon", _in_the_targets_unit("epsilon"))),
    word("class_weight", given("class_weight")),
    word("coef0", derived("", lambda c, table: same(1.0 if c["kernel"] == "poly" else 0.0))),
    word("shrinking", always(True)),
)


def _kind_of_penalty(config: Config, table: NewTable) -> Equivalents:
    """An elastic net of absolute values alone is the lasso."""
    if config["penalty"] == "l2":
        return ("l2", "ridge")
    return ("elasticnet", "elastic_net", *(("l1", "lasso") if config["l1_ratio"] == 1.0 else ()))


def _share_of_absolute_values(config: Config, table: NewTable) -> Equivalents:
    return same(float(config.get("l1_ratio", 0.0)))


LOGISTIC_REGRESSION = (
    word("C", given("C")),
    word("penalty", derived("penalty", _kind_of_penalty)),
    word("l1_ratio", derived("penalty l1_ratio", _share_of_absolute_values)),
    word("class_weight", given("class_weight")),
    word("solver", derived("", lambda c, table: ("lbfgs",) if c["penalty"] == "l2" else ("saga",))),
    word("fit_intercept", always(True)),
)


def elastic_net(config: Config, spread: float) -> tuple[float, float]:
    """The strength and the mixture for a target of standard deviation `spread`, of what was tried where it is 1.

    The penalty of absolute values grows with the target's unit, that of squares does not.

    Example:
        >>> elastic_net({"alpha": 2.0, "l1_ratio": 0.5}, 3.0)
        (4.0, 0.75)
    """
    share = config.get("l1_ratio", 0.0)
    absolute, squared = config["alpha"] * share * spread, config["alpha"] * (1.0 - share)
    return absolute + squared, absolute / (absolute + squared)


def _net_strength(config: Config, table: NewTable) -> Equivalents:
    """scikit-learn's elastic net divides by the rows, ridge regression does not."""
    known = table.rows and table.spread
    return same(elastic_net(config, table.spread)[0] / table.rows) if known else ()  # type: ignore[operator, arg-type]


def _net_mixture(config: Config, table: NewTable) -> Equivalents:
    return same(elastic_net(config, table.spread)[1]) if table.spread else ()


ELASTIC_NET = (
    word("alpha", derived("alpha", _net_strength)),
    word("l1_ratio", derived("penalty l1_ratio", _net_mixture)),
    word("fit_intercept", always(True)),
)
RIDGE = (word("alpha", given("alpha")), word("fit_intercept", always(True)))

KNN = (
    word("n_neighbors", given("n_neighbors")),
    word("weights", given("weights")),
    word("p", given("p")),
    word("metric", derived("p", lambda c, table: ("euclidean", "minkowski") if c["p"] == 2 else ("manhattan",))),
)

# networks -------------------------------------------------------------------------------------------------------------


def _layers(config: Config, table: NewTable) -> Equivalents:
    """All widths as a tuple, as a list, and in words."""
    widths = (config["width"],) * config["depth"]
    one = (config["width"],) if config["depth"] == 1 else ()
    joined = ["-".join(map(str, widths)), ",".join(map(str, widths)), "_".join(map(str, widths))]
    return (widths, list(widths), *one, *joined)


MLP = (
    word("hidden_layer_sizes layers", derived("width depth", _layers)),
    word("n_layers num_layers n_hidden n_hidden_layers depth", given("depth")),
    word("n_units n_neurons width hidden_size hidden_dim units", given("width")),
    word("n_units_l# n_units_# units_# layer_#_size n_neurons_#", given("width")),
    word("learning_rate_init learning_rate lr", given("learning_rate")),
    word("solver", always("adam")),
    word("early_stopping", always(True)),
)
