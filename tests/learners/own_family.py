"""A family from outside, as a package would have it: discriminant analysis with a shrinkage between none and all."""

from __future__ import annotations

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline

from autometa.families import Family, naive_bayes, register_family
from autometa.families.family import CLASSIFICATION
from autometa.space import SearchSpace, real


class ShrunkenAnalysis(LinearDiscriminantAnalysis):
    """Its pickles are of this module."""


def space(kind):
    return SearchSpace.of(shrinkage=real(0.0, 1.0, 0.1))


def build(config, columns, kind, **how):
    borrowed = naive_bayes.build(naive_bayes.space(kind).default, columns, kind, **how)
    return Pipeline([borrowed.steps[0], ("model", ShrunkenAnalysis(solver="lsqr", shrinkage=config["shrinkage"]))])


MODEL_FAMILY = Family("shrunken", "Shrunken analysis", space, build, kinds=CLASSIFICATION)


def register():
    register_family(MODEL_FAMILY)
