"""Configurations that did well on many tables elsewhere: where a pool of experience begins, after the defaults.

What is not named is at its default. Experience decides which of them are ever recommended, so an entry needs only to be
worth the time to try it.

Sources:
    AutoGluon's tabular presets (Erickson et al., 2020) and the portfolio learned by TabRepo (Salinas and Erickson,
    2024): slow boosting with early stopping, large and small trees, randomised trees. The tuned defaults of RealMLP's
    paper (Holzmüller, Grinsztajn, Steinwart, 2024) for boosted trees. Regularisation paths for the rest. Behind them,
    in their order, those of AutoGluon's zero-shot portfolios of 2023, of 2025-12 for processors and of 2026-08
    (f34ebb4, Apache-2.0) that our spaces can say and that end within seconds on a thousand rows, rounded.
"""

from __future__ import annotations

from typing import Any

SLOW: dict[str, Any] = {"n_estimators": 2000, "early_stop": True}  # small steps, and as many as help

PRESETS: dict[str, tuple[dict[str, Any], ...]] = {
    "lightgbm": (
        {**SLOW, "learning_rate": 0.05},
        {"n_estimators": 300, "learning_rate": 0.03, "num_leaves": 8, "min_child_samples": 10, "subsample": 0.8,
         "colsample_bytree": 0.6, "reg_lambda": 1.0},
        {**SLOW, "learning_rate": 0.05, "extra_trees": True},
        {"n_estimators": 1000, "learning_rate": 0.04, "num_leaves": 50, "min_child_samples": 40, "subsample": 0.75,
         "colsample_bytree": 0.4},
        {**SLOW, "learning_rate": 0.03, "num_leaves": 128, "min_child_samples": 3,
         "colsample_bytree": 0.9},
        {**SLOW, "learning_rate": 0.012, "num_leaves": 53, "min_child_samples": 14, "colsample_bytree": 0.7},
        {**SLOW, "learning_rate": 0.019, "num_leaves": 64, "min_child_samples": 28, "colsample_bytree": 0.55,
         "reg_lambda": 1.9, "extra_trees": True, "features": "arithmetic"},
        {**SLOW, "learning_rate": 0.018, "num_leaves": 39, "min_child_samples": 3, "colsample_bytree": 0.46,
         "subsample": 0.88, "reg_lambda": 0.36, "extra_trees": True},
        {**SLOW, "learning_rate": 0.024, "num_leaves": 7, "min_child_samples": 1, "subsample": 0.96, "reg_lambda": 2.0,
         "extra_trees": True, "features": "arithmetic+groups"},
        {**SLOW, "learning_rate": 0.034, "num_leaves": 127, "min_child_samples": 6, "colsample_bytree": 0.83,
         "extra_trees": True},
        {**SLOW, "learning_rate": 0.04, "num_leaves": 16, "min_child_samples": 1, "colsample_bytree": 0.58,
         "subsample": 0.96, "reg_lambda": 1.0, "features": "arithmetic"},
        {**SLOW, "learning_rate": 0.018, "num_leaves": 180, "min_child_samples": 12, "colsample_bytree": 0.4,
         "subsample": 0.95, "reg_lambda": 1.6, "extra_trees": True},
        {**SLOW, "learning_rate": 0.047, "num_leaves": 89, "min_child_samples": 56, "colsample_bytree": 0.62},
        {**SLOW, "learning_rate": 0.013, "num_leaves": 5, "min_child_samples": 12, "colsample_bytree": 0.73,
         "subsample": 0.85, "reg_lambda": 0.3, "extra_trees": True},
        {**SLOW, "learning_rate": 0.054, "num_leaves": 32, "min_child_samples": 1, "colsample_bytree": 0.5,
         "reg_lambda": 1.2, "extra_trees": True, "features": "arithmetic"},
        {**SLOW, "learning_rate": 0.019, "num_leaves": 22, "min_child_samples": 6, "colsample_bytree": 0.74},
        {**SLOW, "learning_rate": 0.031, "num_leaves": 24, "min_child_samples": 1, "colsample_bytree": 0.49,
         "subsample": 0.78, "reg_lambda": 0.58},
        {**SLOW, "learning_rate": 0.079, "num_leaves": 198, "min_child_samples": 12, "colsample_bytree": 0.46,
         "extra_trees": True},
    ),
    "catboost": (
        {"n_estimators": 300, "rate": "given", "learning_rate": 0.05, "depth": 4},
        {**SLOW, "rate": "given", "learning_rate": 0.05},
        {"n_estimators": 500, "rate": "given", "learning_rate": 0.05, "depth": 8, "l2_leaf_reg": 5.0},
        {"n_estimators": 1000, "rate": "given", "learning_rate": 0.08, "depth": 7, "l2_leaf_reg": 0.3,
         "random_strength": 0.8, "max_ctr_complexity": 1},
        {**SLOW, "rate": "given", "learning_rate": 0.07, "depth": 4,
         "l2_leaf_reg": 2.7, "grow_policy": "Depthwise", "max_ctr_complexity": 1},
        {**SLOW, "rate": "given", "learning_rate": 0.033, "depth": 8,
         "l2_leaf_reg": 1.6, "max_ctr_complexity": 3},
    ),
    "xgboost": (
        {**SLOW, "learning_rate": 0.05},
        {"n_estimators": 500, "learning_rate": 0.03, "max_depth": 3, "subsample": 0.8, "colsample_bytree": 0.6},
        {"n_estimators": 1000, "learning_rate": 0.08, "max_depth": 9, "min_child_weight": 0.1, "subsample": 0.65},
        {**SLOW, "learning_rate": 0.018, "max_depth": 10, "min_child_weight": 0.6, "colsample_bytree": 0.69},
        {**SLOW, "learning_rate": 0.088, "max_depth": 5, "min_child_weight": 0.63, "colsample_bytree": 0.66},
        {**SLOW, "learning_rate": 0.093, "max_depth": 7, "min_child_weight": 0.8, "colsample_bytree": 0.91},
        {**SLOW, "learning_rate": 0.038, "max_depth": 7, "min_child_weight": 0.56, "colsample_bytree": 0.75},
        {**SLOW, "learning_rate": 0.01, "max_depth": 4, "min_child_weight": 0.92, "colsample_bytree": 0.75},
        {**SLOW, "learning_rate": 0.029, "max_depth": 10, "min_child_weight": 1.2, "colsample_bytree": 0.55},
    ),
    "hist_gradient_boosting": (
        {"max_iter": 1000, "early_stop": True, "learning_rate": 0.05},
        {"max_iter": 300, "learning_rate": 0.03, "max_leaf_nodes": 8, "l2_regularization": 10.0, "max_features": 0.5},
    ),
    "extra_trees": (
        {"n_estimators": 300},
        {"n_estimators": 300, "max_features": 0.6, "min_samples_leaf": 2},
        {"n_estimators": 300, "max_features": 1.0, "min_samples_leaf": 3, "categories": "onehot"},
        {"n_estimators": 300, "min_samples_leaf": 5, "categories": "target"},
        {"n_estimators": 300, "max_features": 0.8},
        {"n_estimators": 300, "max_features": 1.0, "min_samples_leaf": 20},
        {"n_estimators": 300, "max_features": 0.8, "min_samples_leaf": 4},
        {"n_estimators": 300, "max_features": 1.0},
    ),
    "random_forest": (
        {"n_estimators": 300},
        {"n_estimators": 300, "max_features": 0.4, "min_samples_leaf": 3},
        {"n_estimators": 300, "max_features": 0.2, "criterion": "entropy"},
        {"n_estimators": 300, "max_features": 0.8, "min_samples_leaf": 2},
        {"n_estimators": 300, "max_features": 1.0, "min_samples_leaf": 5},
        {"n_estimators": 300, "max_features": 0.8, "min_samples_leaf": 40},
        {"n_estimators": 300, "max_features": "log2"},
    ),
    "linear": (
        {"C": 0.1, "alpha": 10.0},
        {"C": 0.01, "alpha": 100.0},
        {"C": 10.0, "alpha": 0.1},
        {"scale": "quantile"},
        {"penalty": "elasticnet", "C": 0.3, "alpha": 0.03, "l1_ratio": 0.7},
        {"categories": "target", "C": 0.1, "alpha": 10.0, "scale": "quantile"},
    ),
    "mlp": (
        {"members": 4, "depth": 2},
        {"members": 4, "width": 64, "depth": 1, "embedding": "none", "learning_rate": 0.01},
        {"scale": "quantile", "embedding": "none", "dropout": 0.3},
        {"width": 256, "depth": 3, "dropout": 0.2, "learning_rate": 0.001, "weight_decay": 0.05},
    ),
    "svm": (
        {"C": 10.0},
        {"C": 10.0, "gamma": 0.3},
        {"C": 100.0, "gamma": 0.1},
        {"C": 3.0, "scale": "quantile"},
    ),
    "knn": (
        {"n_neighbors": 15, "weights": "distance", "p": 1},
        {"n_neighbors": 30, "weights": "distance", "scale": "quantile"},
        {"n_neighbors": 1},
    ),
    "naive_bayes": (
        {"var_smoothing": 0.01},
        {"scale": "quantile"},
    ),
    "discriminant": (
        {"pooling": 0.0, "shrinkage": 0.001},
        {"pooling": 0.0, "shrinkage": 0.1},
        {"pooling": 0.5, "shrinkage": 0.01},
        {"pooling": 1.0, "shrinkage": 0.01},
        {"scale": "quantile"},
    ),
    "additive": (
        {"products": True, "C": 0.1, "alpha": 10.0},
        {"C": 0.1, "alpha": 10.0},
        {"C": 0.1, "alpha": 10.0, "bend": 0.3, "scale": "quantile"},
    ),
    "few_shot": (
        {"head": "logistic"},
        {"head": "ridge"},
        {"scale": "none"},
        {"head": "logistic", "scale": "standard", "C": 1000.0},
        {"head": "means"},
    ),
    "gaussian_process": (
        {"kernel": "matern_32", "relevance": False},
        {"kernel": "matern_32", "scale": "quantile"},
        {"kernel": "rbf", "relevance": False, "linear": False},
        {"kernel": "matern_32", "categories": "target", "scale": "robust"},
        {"inducing": 3000},
    ),
}  # fmt: skip
