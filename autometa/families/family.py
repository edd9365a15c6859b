"""What a model family is: a name, a space, and how to build a pipeline from a configuration of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autometa.space import SearchSpace

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.families.foundation import FoundationModel
    from autometa.task import Columns, Kind

CLASSIFICATION: frozenset[Kind] = frozenset({"binary", "multiclass"})
REGRESSION: frozenset[Kind] = frozenset({"regression"})
EVERY_KIND = CLASSIFICATION | REGRESSION


def no_limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """The `limit` of a family that suits tables of every size."""
    return None


def any_columns(columns: Columns, n_rows: int) -> str | None:
    """The `suits` of a family that learns from whatever columns there are."""
    return None


def no_onnx(columns: Columns) -> str | None:
    """The `onnx` of a family that has no counterpart there."""
    return "has no counterpart in ONNX"


def every_onnx(columns: Columns) -> str | None:
    """The `onnx` of a family whose pipelines all become ONNX."""
    return None


# The name, as of a family, of the model that a search has at once (`learners.quick`), and its label: it is in no space.
QUICK, QUICK_LABEL = "quick_linear", "Quick linear model"


@dataclass(frozen=True, slots=True)
class Family:
    """One entry of the catalogue.

    See Also:
        `autometa.families.FAMILIES`; docs/extending.md writes one.

    Example:
        >>> from autometa.families import FAMILIES
        >>> FAMILIES["random_forest"].grows_by, FAMILIES["svm"].limit(50_000, 10, 2)
        ('n_estimators', 'a kernel machine on 50000 rows takes too long (at most 10000)')
    """

    name: str  # in configurations and on the command line
    label: str  # in reports
    # The family's own parameters, unprefixed, for a kind of task; its default configuration is the library's own.
    space: Callable[[Kind], SearchSpace]
    # build(config, columns, kind, *, n_rows, seed, threads, device): an unfitted pipeline, preprocessing included.
    build: Callable[..., Pipeline]
    kinds: frozenset[Kind] = EVERY_KIND
    requires: str | None = None  # the import name of the package without which the family is absent
    # limit(n_rows, n_columns, n_classes): a sentence why the family does not suit a table of that size, or None.
    limit: Callable[[int, int, int], str | None] = no_limit
    # suits(columns, n_rows): a sentence why what the columns hold is not what the family learns from, or None.
    suits: Callable[[Columns, int], str | None] = any_columns
    # The integer parameter that counts what training adds piece by piece (trees, rounds, epochs, inducing rows), for a
    # learner that can end at a deadline (`learners.truncation`); None for one that cannot.
    grows_by: str | None = None
    # Whether its learner's `fit` takes `sample_weight` (n,): how much each row counts.
    takes_weights: bool = False
    # Rows up to which it fits a quantile of the target instead of its mean (`build` then takes `quantile`); 0: none.
    quantile_rows: float = 0
    # Whether it can keep its answer from falling, or rising, along columns (`build` then takes `monotonic`).
    keeps_monotonic: bool = False
    # Its parameters, unprefixed, that have one value then.
    fixed_if_monotonic: Mapping[str, Any] = field(default_factory=dict)
    # Whether its pipelines may make columns of columns (`families.features`), where a parameter says so.
    makes_features: bool = False
    # Whether its learner runs on a GPU where there is one and `build`'s device allows; its trials then have one each.
    uses_gpu: bool = False
    # onnx(columns): a sentence why its pipelines on these columns do not become ONNX (`autometa.export`), or None.
    onnx: Callable[[Columns], str | None] = no_onnx
    # The foundation model whose weights it needs on this machine; None where its learner learns from the table alone.
    foundation: FoundationModel | None = None
