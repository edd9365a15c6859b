"""Every library whose words are known: which families of the catalogue its past is, and its parameters.

To add a library, write its words (`boosted`, `classical`) and give it a line in `LIBRARIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autometa.families.family import CLASSIFICATION, EVERY_KIND, REGRESSION
from autometa.libraries import boosted, classical
from autometa.libraries.words import Meaning, Word
from autometa.space import Config


@dataclass(frozen=True, slots=True)
class Library:
    """The words of one library for one family of models.

    See Also:
        `Word`, `autometa.libraries.LIBRARIES`.
    """

    name: str  # what a person calls it, as `space=`
    label: str  # for people
    families: tuple[str, ...]  # of the catalogue, whose evaluations are translated: its own, then those much like it
    words: tuple[Word, ...]  # with their meanings in its own family
    prefixes: tuple[str, ...] = ()  # that people put before its parameters, without the underscore
    kinds: frozenset[str] = EVERY_KIND
    # Rounds and learning rate of boosted trees, by their first names. Where one is taken at the edge of a range, the
    # other makes up for it: with small steps it is their product that matters (Friedman, 2001).
    shrinkage: tuple[str, ...] = ()
    # Whether the library can be what a configuration of one of the families is.
    holds: Callable[[Config], bool] = lambda config: True
    # What the words mean in the families much like it, by a word's first name; there, too, what its own family leaves
    # at the library's default is left there.
    alike: Mapping[str, Meaning] = field(default_factory=dict)

    def meaning(self, word: Word, family: str) -> Meaning | None:
        """What a word means in one of the families; None where that says nothing of it.

        Example:
            >>> xgboost = LIBRARIES["xgboost"]
            >>> depth = xgboost.words[2]
            >>> depth.names, xgboost.meaning(depth, "lightgbm").of({"num_leaves": 31}, None)
            (('max_depth',), (5, 5.0))
        """
        if family == self.families[0] or not word.meaning.parameters:
            return word.meaning
        return self.alike.get(word.names[0])


LIBRARIES: dict[str, Library] = {
    library.name: library
    for library in (
        Library(
            "lightgbm",
            "LightGBM",
            ("lightgbm",),
            boosted.LIGHTGBM,
            ("lightgbm", "lgbm", "lgb"),
            shrinkage=("n_estimators", "learning_rate"),
        ),
        Library(
            "xgboost",
            "XGBoost",
            ("xgboost", "lightgbm"),
            boosted.XGBOOST,
            ("xgboost", "xgb"),
            holds=lambda config: not config.get("extra_trees") and not config.get("class_weight"),
            alike=boosted.XGBOOST_LIKE_LIGHTGBM,
            shrinkage=("n_estimators", "learning_rate"),
        ),
        Library(
            "catboost",
            "CatBoost",
            ("catboost",),
            boosted.CATBOOST,
            ("catboost", "cat", "cb"),
            shrinkage=("n_estimators", "learning_rate"),
        ),
        Library(
            "hist_gradient_boosting",
            "scikit-learn's histogram gradient boosting",
            ("hist_gradient_boosting", "lightgbm"),
            boosted.HIST_GRADIENT_BOOSTING,
            ("hist_gradient_boosting", "hgb", "hgbt"),
            holds=lambda config: not config.get("extra_trees"),
            alike=boosted.HISTOGRAMS_LIKE_LIGHTGBM,
            shrinkage=("max_iter", "learning_rate"),
        ),
        Library(
            "random_forest",
            "Random forest",
            ("random_forest", "extra_trees"),
            classical.FOREST,
            ("random_forest", "rf"),
            alike=classical.FOREST_LIKE_EXTRA_TREES,
        ),
        Library("extra_trees", "Extra trees", ("extra_trees",), classical.FOREST, ("extra_trees", "et")),
        Library("svm", "Support vectors", ("svm",), classical.SVM, ("svm", "svc", "svr")),
        Library(
            "logistic_regression",
            "Logistic regression",
            ("linear",),
            classical.LOGISTIC_REGRESSION,
            ("logistic_regression", "logreg", "lr"),
            CLASSIFICATION,
        ),
        Library("elastic_net", "Elastic net", ("linear",), classical.ELASTIC_NET, ("elastic_net", "enet"), REGRESSION),
        Library(
            "ridge",
            "Ridge regression",
            ("linear",),
            classical.RIDGE,
            ("ridge",),
            REGRESSION,
            holds=lambda config: config["penalty"] == "l2",
        ),
        Library("knn", "Nearest neighbours", ("knn",), classical.KNN, ("knn",)),
        Library("sklearn_mlp", "scikit-learn's perceptron", ("mlp",), classical.MLP, ("mlp", "nn")),
    )
}
