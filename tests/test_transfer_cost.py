"""How long trials take."""

from __future__ import annotations

import numpy as np
import pytest

from autometa.transfer.cost import TrialLimit, slower, surprise
from autometa.transfer.options import OPTIONS, Spreads


@pytest.mark.parametrize("spreads", [OPTIONS.known_spreads, OPTIONS.other_spreads])
@pytest.mark.parametrize("seed", range(5))
def test_slowness_is_the_mean_of_the_gaussian_model_given_what_was_timed(spreads: Spreads, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whose = rng.choice(["knn", "linear", "svm"], size=7)
    among = np.array(["linear", "svm", "mlp", "knn"])
    residual = rng.normal(0.5, 1.0, 7)

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return spreads.tasks**2 + spreads.families**2 * (a[:, None] == b)

    seen = covariance(whose, whose) + spreads.trials**2 * np.eye(7)
    expected = covariance(among, whose) @ np.linalg.solve(seen, residual)
    np.testing.assert_allclose(slower(residual, whose, among, spreads), expected, atol=1e-12)


def test_without_anything_timed_nothing_is_slower() -> None:
    nothing = slower(np.zeros(0), np.zeros(0, dtype=int), np.array([0, 1]), OPTIONS.known_spreads)
    np.testing.assert_array_equal(nothing, [0.0, 0.0])


def test_starting_a_process_does_not_count_as_slowness() -> None:
    counted = surprise(np.array([0.3, 0.05, 0.6, 4.0, 1.0]), np.log([0.05, 0.3, 0.05, 2.0, 2.0]))
    np.testing.assert_allclose(counted, np.log([1.0, 1.0, 2.0, 2.0, 0.5]), atol=1e-12)


def test_what_stops_early_costs_the_limit_at_most_and_the_rest_cannot_finish_in_time() -> None:
    limit = TrialLimit(10.0, frozenset({"catboost"}))
    costs = limit.costs(np.array([3.0, 30.0, 30.0]), np.array(["svm", "svm", "catboost"]))
    np.testing.assert_array_equal(costs, [3.0, np.inf, 10.0])


def test_what_was_late_again_and_again_cannot_finish_in_time_however_little_is_expected() -> None:
    limit = TrialLimit(10.0, frozenset({"catboost"}), late=frozenset({"catboost", "knn"}))
    costs = limit.costs(np.array([3.0, 30.0, 0.1]), np.array(["svm", "catboost", "knn"]))
    np.testing.assert_array_equal(costs, [3.0, np.inf, np.inf])
