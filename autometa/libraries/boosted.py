"""The words of the boosting libraries, and what a configuration of the catalogue means by each.

Pure tables. What a parameter of a family means stands in `families/NAME.py`, and how it is handed to the library in
`build` there. What the family leaves at the library's default was at that default in every evaluation (`always`); a
word of which nothing can be said is left out, and its value to the search.

Sources:
    The documentation of LightGBM 4.7, XGBoost 3.2, CatBoost 1.2.10 and scikit-learn 1.9: names, aliases and defaults.
"""

from __future__ import annotations

import math

from autometa.libraries.words import (
    Equivalents,
    NewTable,
    always,
    derived,
    given,
    penalised,
    same,
    without_bound,
    word,
)
from autometa.space import Config

ROUNDS = "n_estimators num_boost_round num_round num_rounds nrounds num_iterations num_iteration iterations n_iter"
RATE = "learning_rate eta"


def _unweighted(config: Config, table: NewTable) -> Equivalents:
    """A factor of the positive class is 1 where classes are not weighted, and not known where they are."""
    return () if config.get("class_weight") else (1, 1.0)


def _balanced(config: Config, table: NewTable) -> Equivalents:
    return (config["class_weight"] == "balanced",) if "class_weight" in config else ()


LIGHTGBM = (
    word(f"{ROUNDS} num_trees num_tree max_iter", given("n_estimators")),
    word(f"{RATE} shrinkage_rate", given("learning_rate")),
    word("num_leaves num_leaf max_leaves max_leaf max_leaf_nodes", given("num_leaves")),
    word(
        "min_child_samples min_data_in_leaf min_data_per_leaf min_data min_samples_leaf",
        given("min_child_samples"),
    ),
    word("subsample bagging_fraction sub_row bagging", given("subsample")),
    word("subsample_freq bagging_freq", derived("", lambda c, table: (int(c["subsample"] < 1),))),
    word("colsample_bytree feature_fraction sub_feature", given("colsample_bytree")),
    word("reg_lambda lambda_l2 lambda l2_regularization", penalised("reg_lambda")),
    word("extra_trees extra_tree", given("extra_trees")),
    word("class_weight", given("class_weight")),
    word("is_unbalance unbalance unbalanced_sets", derived("class_weight", _balanced)),
    word("scale_pos_weight", derived("", _unweighted)),
    word("max_depth", without_bound(-1, 0, None)),
    word("reg_alpha lambda_l1 l1_regularization", always(0.0)),
    word("min_split_gain min_gain_to_split", always(0.0)),
    word("min_child_weight min_sum_hessian_in_leaf min_sum_hessian min_hessian", always(1e-3)),
    word("colsample_bynode feature_fraction_bynode sub_feature_bynode", always(1.0)),
    word("max_bin max_bins", always(255)),
    word("boosting_type boosting boost", always("gbdt", "gbrt")),
    word("path_smooth", always(0.0)),
    word("linear_tree", always(False)),
    word("cat_smooth", always(10.0)),
    word("cat_l2", always(10.0)),
    word("min_data_per_group", always(100)),
    word("max_cat_threshold", always(32)),
)

XGBOOST = (
    word(ROUNDS, given("n_estimators")),
    word(RATE, given("learning_rate")),
    word("max_depth", given("max_depth")),
    word("min_child_weight", given("min_child_weight")),
    word("subsample", given("subsample")),
    word("colsample_bytree", given("colsample_bytree")),
    word("reg_lambda lambda", given("reg_lambda")),
    word("reg_alpha alpha", penalised("reg_alpha")),
    word("gamma min_split_loss", always(0.0)),
    word("max_delta_step", always(0.0)),
    word("colsample_bylevel", always(1.0)),
    word("colsample_bynode", always(1.0)),
    word("max_leaves", without_bound(0, None)),
    word("max_bin", always(256)),
    word("grow_policy", always("depthwise")),
    word("booster", always("gbtree")),
    word("tree_method", always("hist", "auto")),
    word("scale_pos_weight", always(1.0)),
    word("num_parallel_tree", always(1)),
)

# The exponent of the rows, that of the rounds, and a constant, of CatBoost's automatic learning rate: read off what the
# library chose for tables of 300 to 5000 rows and 200 to 1000 rounds; tests/test_libraries.py asks the library again.
AUTOMATIC_RATE = {
    "binary": (0.427, -0.917, -1.1905),
    "multiclass": (0.051, -0.845, 2.948),
    "regression": (0.158, -0.813, 1.329),
}
HIGHEST_RATE = 0.5  # that it chooses


def catboost_rate(config: Config, table: NewTable) -> Equivalents:
    """The learning rate, or the one that CatBoost chooses for so many rounds on a table of this size.

    Example:
        >>> config = {"rate": "automatic", "n_estimators": 1000, "early_stop": False}
        >>> (
        ...     round(catboost_rate(config, NewTable("regression", rows=300))[0], 3),
        ...     catboost_rate(config, NewTable("regression")),
        ... )
        (0.034, ())
    """
    if config["rate"] == "given":
        return same(config["learning_rate"])
    if table.rows is None or config["early_stop"]:  # it chooses otherwise where it may stop early
        return ()
    rows, rounds, constant = AUTOMATIC_RATE[table.kind]
    rate = math.exp(rows * math.log(table.rows) + rounds * math.log(config["n_estimators"]) + constant)
    return same(min(rate, HIGHEST_RATE))


def _bootstrap(config: Config, table: NewTable) -> Equivalents:
    return ("Bayesian",) if table.kind == "multiclass" else ("MVS",)


CATBOOST = (
    word(f"{ROUNDS} num_trees", given("n_estimators")),
    word(RATE, derived("learning_rate rate", catboost_rate)),
    word("depth max_depth", given("depth")),
    word("l2_leaf_reg reg_lambda", given("l2_leaf_reg")),
    word("random_strength", given("random_strength")),
    word("colsample_bylevel rsm", given("colsample_bylevel")),
    word("grow_policy", given("grow_policy")),
    word("max_ctr_complexity", given("max_ctr_complexity")),
    word("auto_class_weights", given("class_weight", known_as={"balanced": ("Balanced",)})),
    word("scale_pos_weight", derived("", _unweighted)),
    word("bootstrap_type", derived("", _bootstrap)),
    word("bagging_temperature", derived("", lambda c, table: same(1.0) if table.kind == "multiclass" else ())),
    word("subsample", derived("", lambda c, table: () if table.kind == "multiclass" else same(0.8))),
    word("min_data_in_leaf min_child_samples", always(1)),
    word("border_count max_bin", always(254)),
    word("boosting_type", always("Plain")),
    word("model_size_reg", always(0.5)),
)

# LightGBM's evaluations in the words of XGBoost: the memory has few of XGBoost itself. A tree of 2**depth leaves that
# grows leaf by leaf is about one that grows level by level to that depth. Rows in a leaf are its least weight where the
# loss is squared; for classes that depends on the probabilities, and is not said.
XGBOOST_LIKE_LIGHTGBM = {
    "n_estimators": given("n_estimators"),
    "learning_rate": given("learning_rate"),
    "max_depth": derived("num_leaves", lambda c, table: same(max(2, round(math.log2(c["num_leaves"]))))),
    "min_child_weight": derived(
        "min_child_samples", lambda c, table: same(c["min_child_samples"]) if table.kind == "regression" else ()
    ),
    "subsample": given("subsample"),
    "colsample_bytree": given("colsample_bytree"),
    "reg_lambda": penalised("reg_lambda"),
    "reg_alpha": always(0.0),
}

HIST_GRADIENT_BOOSTING = (
    word(f"max_iter {ROUNDS}", given("max_iter")),
    word(RATE, given("learning_rate")),
    word("max_leaf_nodes", given("max_leaf_nodes")),
    word("min_samples_leaf", given("min_samples_leaf")),
    word("l2_regularization", penalised("l2_regularization")),
    word("max_features", given("max_features")),
    word("class_weight", given("class_weight")),
    word("early_stopping", given("early_stop")),
    word("max_depth", without_bound(None)),
    word("max_bins", always(255)),
)

# LightGBM's in the words of scikit-learn, whose learner was modelled on it; columns are drawn for a tree, not a split.
HISTOGRAMS_LIKE_LIGHTGBM = {
    "max_iter": given("n_estimators"),
    "learning_rate": given("learning_rate"),
    "max_leaf_nodes": given("num_leaves"),
    "min_samples_leaf": given("min_child_samples"),
    "l2_regularization": penalised("reg_lambda"),
    "max_features": given("colsample_bytree"),
    "class_weight": given("class_weight"),
    "early_stopping": given("early_stop"),
}
