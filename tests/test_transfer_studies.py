"""Past studies of own configurations as functions: features, the population, the table, the archive."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, spearmanr

from autometa.space import SearchSpace, choice, integer, real
from autometa.space.bridge import Bridge
from autometa.store import TaskRecord
from autometa.transfer import AdaptivePortfolio, Guard, History
from autometa.transfer.features import Features, Points
from autometa.transfer.kernels import Layout
from autometa.transfer.options import OPTIONS
from autometa.transfer.packing import Archive, packed
from autometa.transfer.past_studies import OwnTrials, PastStudies, extended, summarised
from autometa.transfer.population import Population
from autometa.transfer.relevance import relevance
from autometa.transfer.study_trials import StudyTrials

SPACE = SearchSpace.of(rate=real(1e-3, 1.0, 0.1, log=True), depth=integer(1, 9, 3), kernel=choice("a", "b"))
SCALES = np.ones(SPACE.d)


def height(config, peak: float) -> float:
    """What a study maximises: a peak along the rate, the deeper the better, kernel b a little worse."""
    rate = (np.log10(config["rate"]) + 3) / 3
    return -((rate - peak) ** 2) - 0.02 * (9 - config["depth"]) / 8 - 0.05 * (config["kernel"] == "b")


def study(number: int, *, peak: float | None = None, trials: int = 25, scale: float = 1.0, offset: float = 0.0):
    """One past study at random configurations of its own."""
    rng = np.random.default_rng(number)
    peak = 0.6 + 0.05 * rng.standard_normal() if peak is None else peak
    configs = tuple(SPACE.sample(rng) for _ in range(trials))
    x, mask = SPACE.encode_all(configs)
    scores = offset + scale * np.array([height(config, peak) for config in configs])
    record = TaskRecord(f"{number:04d}", f"study {number}", "study", "value", 0, 0, 0)
    return OwnTrials(record, configs, x, mask, scores, np.full(trials, np.nan))


def summary(studies) -> PastStudies:
    """What is known of them."""
    found = summarised(studies, SPACE, (np.zeros((len(studies), 0)), (), ""))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def past() -> PastStudies:
    """Twelve studies, no two with a configuration in common."""
    return summary([study(number) for number in range(12)])


def random_points(number: int, seed: int = 0) -> Points:
    """Anywhere in the space."""
    where = Layout(SPACE).complete(np.random.default_rng(seed).random((number, SPACE.d)))
    return Points.of(Layout(SPACE), where.x, where.mask)


# ------------------------------------------------------------------------------------------------------------ features


def test_features_give_back_the_covariance_at_their_inducing_points_and_never_more_than_it():
    points = random_points(40)
    features = Features.chosen(points, 0.5, 0.3, SCALES, 25)
    inducing = features.of(features.inducing)
    assert np.allclose(inducing @ inducing.T, features.kernel(features.inducing, features.inducing), atol=1e-5)
    anywhere = features.of(points)
    assert (np.einsum("qf,qf->q", anywhere, anywhere) <= 1 + 1e-6).all()


def test_fewer_features_are_taken_where_they_say_all():
    points = random_points(3)
    assert len(Features.chosen(points.at(np.repeat(np.arange(3), 9)), 1.0, 0.3, SCALES, 20).inducing) == 3


def test_what_matters_gets_a_finer_scale_and_the_choices_of_a_parameter_share_theirs():
    scales = relevance([trials_of(study(number)) for number in range(8)], Layout(SPACE).groups, OPTIONS)
    rate, depth, *kernel = scales
    assert rate > depth
    assert len(set(kernel)) == 1


# ---------------------------------------------------------------------------------------------------------- population


def test_the_posterior_of_a_study_is_that_of_the_dense_gaussian():
    rng = np.random.default_rng(5)
    studies = [StudyTrials(random_points(8, k), rng.random(8)) for k in range(4)]
    population = Population.learned(studies, Layout(SPACE).groups)
    seen = StudyTrials(random_points(9, 77), np.random.default_rng(5).standard_normal(9))
    phi = population.features.of(seen.points)
    noise = population.noise + population.residual(seen.points, phi)
    total = phi @ population.covariance @ phi.T + OPTIONS.population_offset + np.diag(noise)
    gain = population.covariance @ phi.T @ np.linalg.inv(total)
    found = population.posterior(seen)
    assert np.allclose(found.weights, population.mean + gain @ (seen.y - phi @ population.mean))
    covariance = population.covariance - found.reduction.T @ found.reduction
    assert np.allclose(covariance, population.covariance - gain @ phi @ population.covariance, atol=1e-8)
    expected = multivariate_normal(phi @ population.mean, total).logpdf(seen.y)
    assert found.log_evidence == pytest.approx(expected)


def test_expectation_maximisation_makes_the_studies_more_likely():
    seen = [trials_of(study(number)) for number in range(10)]
    features = Features.chosen(random_points(200), 0.5, 1 / 3, SCALES, 60)
    f = len(features.inducing)
    start = Population(features, np.zeros(f), np.eye(f), OPTIONS.population_noise)
    evidence = [start._improved(seen, rounds)[1] for rounds in (1, 3, 8)]
    assert evidence == sorted(evidence)
    assert start._improved(seen, 20)[0].noise < 0.01  # these studies have none


def trials_of(one: OwnTrials) -> StudyTrials:
    """As the population sees a study."""
    return StudyTrials.of(Points.of(Layout(SPACE), one.x, one.mask), one.scores, 60)


def test_a_long_study_keeps_its_best_trials():
    scores = np.random.default_rng(0).random(500)
    kept = StudyTrials.of(random_points(500), scores, 60)
    assert len(kept.y) == 60
    assert kept.y.max() == pytest.approx(1.0)
    assert (kept.y > 0).sum() >= 20


def test_where_a_study_tried_nothing_it_is_expected_to_be_as_the_others_are():
    # Study 0 tried small rates only; the others know that large ones are better.
    rng = np.random.default_rng(0)
    narrow = [{**SPACE.sample(rng), "rate": float(10 ** rng.uniform(-3, -2.2))} for _ in range(25)]
    x, mask = SPACE.encode_all(narrow)
    record = TaskRecord("0000", "narrow", "study", "value", 0, 0, 0)
    scores = np.array([height(config, 0.6) for config in narrow])
    one = OwnTrials(record, tuple(narrow), x, mask, scores, np.full(25, np.nan))
    found = summary([one, *[study(number) for number in range(1, 12)]])
    asked = [{"rate": rate, "depth": 9, "kernel": "a"} for rate in (0.002, 0.06)]
    row = [record.fingerprint for record in found.records].index("0000")
    expected = found.expected(SPACE, asked)[row]
    assert expected[1] > expected[0] + 0.3


def test_doubt_grows_with_the_distance_from_what_a_study_tried(past: PastStudies):
    population, seen = past.functions.population, trials_of(study(3))
    usual = population.features.of(random_points(400)).mean(axis=0)
    after = [population.posterior(seen)]
    near, far = (
        population.variance(points, population.features.of(points), usual, after)
        for points in (seen.points, random_points(400, 9))
    )
    assert np.median(near) < np.median(far)


def test_nothing_depends_on_the_unit_of_the_scores_or_on_the_order_of_the_studies():
    studies = [study(number) for number in range(8)]
    scaled = [study(number, scale=1000.0, offset=-7.0) for number in range(8)]
    asked = [SPACE.sample(np.random.default_rng(k)) for k in range(20)]
    expected = summary(studies).expected(SPACE, asked)
    assert np.allclose(summary(scaled).expected(SPACE, asked), expected, atol=1e-6)
    np.testing.assert_array_equal(summary(studies[::-1]).expected(SPACE, asked), expected)


def test_studies_that_tell_nothing_are_left_out():
    flat = study(50)
    flat = OwnTrials(flat.record, flat.configs, flat.x, flat.mask, np.ones(25), flat.seconds)
    failed = OwnTrials(flat.record, flat.configs, flat.x, flat.mask, np.full(25, -np.inf), flat.seconds)
    assert [r.name for r in summary([study(1), flat, failed, study(2)]).records] == ["study 1", "study 2"]
    assert summarised([study(1), flat, failed], SPACE, (np.zeros((3, 0)), (), "")) is None


# --------------------------------------------------------------------------------------------------------------- table


def test_the_first_configuration_is_good_on_most_studies_and_the_next_ones_cover_the_others():
    others = [study(number, peak=0.15) for number in range(20, 24)]
    found = summary([*[study(number) for number in range(12)], *others])
    first, second, *_ = AdaptivePortfolio().fit(found, SPACE).recommend(None, 3)
    assert height(first.config, 0.6) > -0.05
    assert height(second.config, 0.15) > -0.1
    assert "The best of 25 trials of study" in first.reason or "of 25 trials of study" in first.reason


def test_studies_beyond_those_in_the_table_have_their_part_in_mean_and_covariance():
    def bowl(found: PastStudies) -> float:
        """How much better a study of which nothing is known is expected to be at .6 than at .15."""
        at = [{"rate": 10 ** (3 * peak - 3), "depth": 9, "kernel": "a"} for peak in (0.6, 0.15)]
        phi = found.functions.population.features.of(found.functions.points(SPACE)(*SPACE.encode_all(at)))
        return float(np.diff(phi @ found.functions.population.mean)[0] * -1)

    few = [study(k, peak=0.15) for k in range(6)]
    many = (study(k, peak=0.6) for k in range(10, 70))
    alone, all_of_them = summary(few), summarised(few, SPACE, (np.zeros((6, 0)), (), ""), many)
    assert all_of_them is not None
    assert [record.name for record in all_of_them.records] == [record.name for record in alone.records]
    assert bowl(alone) < 0 < bowl(all_of_them)


def test_a_past_that_misleads_loses_its_weight_within_a_few_trials():
    flipped = [study(number) for number in range(12)]
    flipped = [OwnTrials(s.record, s.configs, s.x, s.mask, -s.scores, s.seconds) for s in flipped]
    guard = Guard(SPACE, summary(flipped))
    rng = np.random.default_rng(0)
    configs = [SPACE.sample(rng) for _ in range(8)]
    history = History.of(SPACE, configs, [height(config, 0.6) for config in configs])
    assert guard.weigh(history)["past"] < 0.5
    honest = Guard(SPACE, summary([study(number) for number in range(12)]))
    assert honest.weigh(history)["past"] > 0.8


def test_without_a_study_the_table_and_the_functions_forget_it(past: PastStudies):
    less = past.without([2])
    assert len(less.records) == len(less.functions.weights) == len(less.scores) == 11
    assert past.records[2] not in less.records
    asked = [SPACE.default]
    assert np.allclose(less.expected(SPACE, asked), np.delete(past.expected(SPACE, asked), 2, axis=0))


def test_a_study_that_came_since_is_added_as_if_it_had_been_there(past: PastStudies):
    more = extended(past, [study(30), study(4)], np.zeros((2, 0)))
    assert [record.name for record in more.records[-2:]] == ["study 30", "study 4"]
    assert len(more.records) == 13
    assert more.scores.shape == more.spread.shape == (13, len(more.configs))
    asked = [SPACE.sample(np.random.default_rng(k)) for k in range(30)]
    whole = summary([study(number) for number in (*range(12), 30)])
    row = [record.name for record in whole.records].index("study 30")
    assert spearmanr(more.expected(SPACE, asked)[-2], whole.expected(SPACE, asked)[row]).statistic > 0.9
    assert AdaptivePortfolio().fit(more, SPACE).recommend(None, 3)


# ------------------------------------------------------------------------------------------------------------- archive


def test_what_is_unpacked_answers_exactly_as_what_was_packed(past: PastStudies):
    content = packed(past, {record.fingerprint: 25 for record in past.records})
    archive = Archive.read(content)
    assert archive is not None
    assert archive.studies == [record.fingerprint for record in past.records]
    assert archive.counts == dict.fromkeys(archive.studies, 25)
    again = archive.past(past.records)
    asked = [SPACE.sample(np.random.default_rng(k)) for k in range(20)]
    assert np.array_equal(again.expected(SPACE, asked), past.expected(SPACE, asked))
    assert np.array_equal(again.scores, past.scores, equal_nan=True)
    assert again.configs == past.configs
    history = History.of(SPACE, asked[:3], [0.1, 0.5, 0.3])
    both = [Guard(SPACE, found).suggest(history, rng=np.random.default_rng(1)).config for found in (past, again)]
    assert both[0] == both[1]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x00" * 100])
def test_what_is_no_archive_is_told_apart(content: bytes):
    assert Archive.read(content) is None


# -------------------------------------------------------------------------------------------------------------- bridge


def test_points_keep_their_values_in_another_space():
    wide = SearchSpace.of(kernel=choice("c", "b", "a"), rate=real(1e-4, 10.0, 0.1, log=True), width=real(0, 1, 0.5))
    configs = [SPACE.sample(np.random.default_rng(k)) for k in range(20)]
    x, mask = Bridge(SPACE, wide)(*SPACE.encode_all(configs))
    shared = [{name: config[name] for name in ("rate", "kernel")} for config in configs]
    expected = wide.encode_all(shared)
    assert np.allclose(x, expected.x)
    assert np.array_equal(mask, expected.mask)


def test_a_number_out_of_range_lies_outside_and_a_category_that_is_gone_is_missing():
    narrow = SearchSpace.of(rate=real(0.01, 0.1, 0.1), kernel=choice("b", "z"))
    x, mask = Bridge(SPACE, narrow)(*SPACE.encode_all([{"rate": 1.0, "depth": 2, "kernel": "a"}]))
    assert x[0, 0] == pytest.approx(11.0)
    assert mask[0].tolist() == [True, False, False]


def test_a_logarithm_of_a_number_below_its_range_is_finite():
    linear, log = SearchSpace.of(x=real(0.0, 1.0, 0.5)), SearchSpace.of(x=real(0.1, 1.0, 0.5, log=True))
    assert np.isfinite(Bridge(linear, log)(*linear.encode_all([{"x": 0.0}])).x).all()
