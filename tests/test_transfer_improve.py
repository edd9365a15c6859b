"""What the surrogate and its guard promise."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autometa.errors import InputError
from autometa.metafeatures import MetaFeatures
from autometa.space import FAMILY, Condition, Config, Parameter, SearchSpace, choice, config_key, integer, real
from autometa.store import PastTasks, TaskRecord
from autometa.transfer import OPTIONS, Guard, History, Surrogate, judged, train
from autometa.transfer.cost import TrialLimit
from autometa.transfer.experts import WarpedHistory, chance_of_failure
from autometa.transfer.gaussian import Adapted, log_spaced
from autometa.transfer.improve import log_expected_improvement
from autometa.transfer.kernels import Layout
from autometa.transfer.meta.network import forward, kernel, lengths
from autometa.transfer.observation import thinned
from autometa.transfer.scale import Warp, ranked, warped

FLAT = SearchSpace.of(a=real(0.0, 1.0, 0.5), b=real(1e-3, 1.0, 0.1, log=True))
SPACE = SearchSpace.cash(
    {
        "tree": SearchSpace(
            [
                Parameter("boost", *choice("plain", "dart")),
                Parameter("rate", *real(0.0, 1.0, 0.5)),
                Parameter("drop", *real(0.0, 1.0, 0.5), when=Condition("boost", ("dart",))),
            ]
        ),
        "line": SearchSpace.of(alpha=real(1e-4, 1.0, 0.1, log=True)),
    }
)


def past_of(space: SearchSpace, configs: list[Config], scores: Any, seconds: Any = None) -> PastTasks:
    scores = np.asarray(scores, dtype=float)
    records = tuple(TaskRecord(f"f{i}", f"task{i}", "binary", "m", 100, 5, 2) for i in range(len(scores)))
    seconds = np.full(scores.shape, np.nan) if seconds is None else seconds
    return PastTasks(records, tuple(configs), scores, seconds, np.zeros((len(scores), 0)), (), "1")


@cache
def hills(t: int = 12, m: int = 40, seed: int = 0) -> PastTasks:
    """Flat tasks that are all best near a = 0.8, each in a unit of its own; b hardly matters; a costs time."""
    rng = np.random.default_rng(seed)
    configs = [FLAT.sample(rng) for _ in range(m)]
    a = np.array([c["a"] for c in configs])
    scores = np.stack([
        rng.normal(0, 50) + rng.lognormal() * (-((a - 0.8 - rng.normal(0, 0.03)) ** 2) + rng.normal(0, 0.003, m))
        for _ in range(t)
    ])  # fmt: skip
    scores[:, 0] = -np.inf
    return past_of(FLAT, configs, scores, np.exp(3 * a) * rng.lognormal(size=(t, 1)))


@cache
def learned() -> Surrogate:
    return train(hills(), FLAT, steps=150, seed=1, validation=0.0)


def history_of(task: Any = None, m: int = 6, seed: int = 3, space: SearchSpace = FLAT) -> History:
    rng = np.random.default_rng(seed)
    configs = [space.sample(rng) for _ in range(m)]
    task = task or (lambda c: -((c["a"] - 0.8) ** 2))
    return History.of(space, configs, [task(c) for c in configs])


def points(space: SearchSpace, q: int, seed: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return space.encode_all([space.sample(rng) for _ in range(q)])


# --------------------------------------------------------------------------------------------------- the scale


@given(
    arrays(float, 9, elements=st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([np.nan, -np.inf]))),
    st.floats(0.01, 100.0),
    st.floats(-100.0, 100.0),
)
@settings(max_examples=60, deadline=None)
def test_warping_keeps_the_order_and_forgets_the_unit(scores: np.ndarray, unit: float, shift: float) -> None:
    scores = np.where(np.isfinite(scores), np.round(scores, 3), scores)
    z = warped(scores)
    finite = np.isfinite(scores)
    assert np.array_equal(np.isfinite(z), finite)
    assert np.all(z[finite] <= 1 + 1e-12)
    assert np.all(np.diff(z[finite][np.argsort(scores[finite], kind="stable")]) >= 0)
    if np.ptp(scores[finite]) > 1 if finite.any() else False:
        np.testing.assert_allclose(warped(scores * unit + shift)[finite], z[finite], atol=1e-4)


def test_a_score_above_the_best_goes_straight_on() -> None:
    warp = Warp.of(np.array([0.0, 1.0, 2.0]))
    above = warp(np.array([2.0, 2.5, 3.0]))
    assert above[0] == 1.0
    assert above[2] - above[1] == pytest.approx(above[1] - above[0])


def test_ranks_are_gaussian_quantiles_of_each_row() -> None:
    z = ranked(np.array([[3.0, 1.0, np.nan, 2.0], [7.0, 7.0, 7.0, -np.inf]]))
    assert z[0, 0] == -z[0, 1] > 0
    assert z[0, 3] == 0
    assert np.all(z[1, :3] == 0)
    assert np.isnan(z[0, 2])
    assert np.isnan(z[1, 3])


# --------------------------------------------------------------------------------------------------- encoding


@given(st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_completing_a_point_is_decoding_and_encoding_it(seed: int) -> None:
    x = np.random.default_rng(seed).uniform(-0.2, 1.2, (8, SPACE.d))
    found = Layout(SPACE).complete(x)
    expected = SPACE.encode_all([SPACE.decode(row) for row in x])
    np.testing.assert_allclose(found.x, expected.x, atol=1e-9)
    np.testing.assert_array_equal(found.mask, expected.mask)


def test_nothing_is_imputed_for_inactive_parameters() -> None:
    layout = Layout(SPACE)
    x, mask = SPACE.encode_all([{"family": "line", "line.alpha": 0.1}])
    noisy = np.where(mask, x, 0.77)
    np.testing.assert_array_equal(layout.inputs(x, mask), layout.inputs(noisy, mask))
    np.testing.assert_array_equal(layout.places(x, mask), layout.places(noisy, mask))
    dart, plain = (
        {"family": "tree", "tree.boost": b, "tree.rate": 0.5, **({"tree.drop": 0.5} if b == "dart" else {})}
        for b in ("dart", "plain")
    )
    a, b = layout.inputs(*SPACE.encode_all([dart, plain]))
    assert a[-1] != b[-1]  # that a parameter in the middle of its range is inactive can be told


# --------------------------------------------------------------------------------------------- the closed form


def _gaussian(y: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    residual = y - mean
    return float(
        -0.5 * (residual @ np.linalg.solve(covariance, residual) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    )


def test_the_evidence_and_the_forecast_are_those_of_plain_conditioning() -> None:
    rng = np.random.default_rng(0)
    everywhere = rng.random((9, 3))
    gram = np.exp(-((everywhere[:, None] - everywhere[None]) ** 2).sum(-1))
    means = rng.standard_normal((9, 2))
    y = 5 + 3 * rng.standard_normal(6)
    noise, vague = 0.1, 1e7  # the flat prior of the offset, nearly
    adapted = Adapted(y, means[:6], gram[:6, :6] + noise * np.eye(6))
    b = log_spaced(OPTIONS.scales) * y.std()
    log, expected, second = [], [], []
    for e in range(2):
        for scale in b:
            covariance = scale**2 * (gram[:6, :6] + noise * np.eye(6)) + vague
            log.append(_gaussian(y, scale * means[:6, e], covariance) + 0.5 * np.log(2 * np.pi * vague))
            gain = np.linalg.solve(covariance, scale**2 * gram[:6, 6:] + vague).T
            mean = scale * means[6:, e] + gain @ (y - scale * means[:6, e])
            variance = scale**2 * np.diag(gram[6:, 6:]) + vague - np.sum(gain.T * (scale**2 * gram[:6, 6:] + vague), 0)
            expected.append(mean)
            second.append(variance + mean**2)
    weight = np.exp(np.array(log) - max(log))
    evidence = max(log) + np.log(weight.sum() / (2 * len(b)))
    assert adapted.log_evidence == pytest.approx(evidence, abs=1e-3)
    weight /= weight.sum()
    mean, std = adapted.predict(means[6:][:, adapted.kept], gram[6:, :6], np.ones(3)).moments()
    np.testing.assert_allclose(mean, weight @ np.array(expected), atol=1e-3)
    np.testing.assert_allclose(std**2, weight @ np.array(second) - (weight @ np.array(expected)) ** 2, rtol=1e-2)


def test_log_expected_improvement_is_the_mean_gain_and_finite_far_away() -> None:
    from autometa.transfer.gaussian import Mixture

    rng = np.random.default_rng(0)
    mixture = Mixture(np.array([0.3, 0.7]), np.array([[0.2, -0.5], [-60.0, -80.0]]), np.array([[1.0, 0.4], [1.0, 1.0]]))
    drawn = np.where(rng.random(400_000) < 0.3, rng.normal(0.2, 1.0, 400_000), rng.normal(-0.5, 0.4, 400_000))
    log = log_expected_improvement(mixture, 0.1)
    assert np.exp(log[0]) == pytest.approx(np.maximum(drawn - 0.1, 0).mean(), rel=0.02)
    assert -2200 < log[1] < -1700


# --------------------------------------------------------------------------------------------- the surrogate


def test_predictions_depend_neither_on_the_order_nor_on_the_unit() -> None:
    surrogate, history, (x, mask) = learned(), history_of(), points(FLAT, 20)
    first = surrogate.posterior(history, x, mask)
    shuffled = history.at(np.random.default_rng(0).permutation(len(history)))
    elsewhere = replace(history, scores=1000 * history.scores - 7)
    for other in (shuffled, elsewhere):
        again = surrogate.posterior(other, x, mask)
        np.testing.assert_allclose(again.mean, first.mean, atol=1e-6)
        np.testing.assert_allclose(again.std, first.std, atol=1e-6)
    assert surrogate.log_evidence(shuffled) == pytest.approx(surrogate.log_evidence(history), abs=1e-6)


def test_numpy_and_torch_say_the_same() -> None:
    import torch

    surrogate, (x, mask) = learned(), points(FLAT, 15)
    member, layout = surrogate.members[0], surrogate.layout
    weights = {name: torch.tensor(value, dtype=torch.float64) for name, value in member.weights.items()}
    heads = forward(weights, torch.tensor(layout.inputs(x, mask)), torch)
    seen = member.see(x, mask)
    for ours, theirs in zip(seen[0], heads, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
    places = torch.tensor(layout.places(x, mask)) / lengths(weights, layout.conditional, torch)
    squared = ((places[:, None] - places[None]) ** 2).sum(-1)
    covariance = kernel(weights, (heads.features, heads.features), squared, torch.ones(15, 15), torch)
    np.testing.assert_allclose(member.covariance(member.apart(seen, seen)), covariance.numpy(), atol=1e-6)


def test_past_tasks_are_learned_from() -> None:
    past = hills(30, 40, 5)
    x, mask = FLAT.encode_all(past.configs)
    knowing = judged(learned(), x, mask, past.scores, supports=(3, 10))
    ignorant = judged(train(hills(), FLAT, steps=1, seed=1, validation=0.0), x, mask, past.scores, supports=(3, 10))
    assert knowing["3"]["rank_correlation"] > max(0.95, ignorant["3"]["rank_correlation"])
    assert knowing["10"]["log_density"] > ignorant["10"]["log_density"]
    assert knowing["10"]["coverage_95"] > 0.85


def test_cost_and_failure_are_learned_and_corrected_here() -> None:
    surrogate = learned()
    x, mask = FLAT.encode_all([{"a": 0.05, "b": 0.1}, {"a": 0.95, "b": 0.1}])
    nothing = history_of(m=0)
    cheap, dear = surrogate.posterior(nothing, x, mask).log_seconds  # type: ignore[misc]
    assert dear - cheap > 1.5
    slow = History(x[:1], mask[:1], np.array([0.1]), seconds=np.array([500.0]))
    assert surrogate.cost(slow, x, mask)[0] > cheap + 2  # type: ignore[index]
    failing = History(x[:1], mask[:1], np.array([-np.inf]))
    assert surrogate.failure(failing, x, mask)[0] > max(0.3, surrogate.failure(nothing, x, mask)[0])
    assert surrogate.failure(failing, x, mask)[1] < 0.3


def test_two_halves_of_training_are_the_whole(tmp_path: Path) -> None:
    whole = train(hills(), FLAT, steps=120, seed=4, labels=("warped",))
    train(hills(), FLAT, steps=60, seed=4, labels=("warped",), checkpoint=tmp_path / "c")
    resumed = train(hills(), FLAT, steps=120, seed=4, labels=("warped",), checkpoint=tmp_path / "c", resume=True)
    for name, value in whole.weights[0].items():
        np.testing.assert_array_equal(value, resumed.weights[0][name])
    with pytest.raises(InputError, match="another training"):
        train(hills(), FLAT, steps=120, seed=5, labels=("warped",), checkpoint=tmp_path / "c", resume=True)


def test_a_file_reads_back_equal_and_fits_its_space_only(tmp_path: Path) -> None:
    surrogate, (x, mask), history = learned(), points(FLAT, 9), history_of()
    surrogate.save(tmp_path / "s.npz")
    read = Surrogate.load(tmp_path / "s.npz", FLAT)
    np.testing.assert_allclose(
        read.posterior(history, x, mask).mean, surrogate.posterior(history, x, mask).mean, atol=1e-4
    )
    assert read.card["tasks"] == 12
    assert (tmp_path / "s.npz").stat().st_size < 200_000
    with pytest.raises(InputError, match="not for"):
        Surrogate.load(tmp_path / "s.npz", SPACE)
    (tmp_path / "t.npz").write_bytes(b"nonsense")
    for name in ("t.npz", "not there.npz"):
        with pytest.raises(InputError, match="can be read"):
            Surrogate.load(tmp_path / name)


def test_too_thin_a_past_is_refused() -> None:
    with pytest.raises(InputError, match="4 are needed"):
        train(hills(3), FLAT)


def test_asking_imports_no_torch(tmp_path: Path) -> None:
    learned().save(tmp_path / "s.npz")
    code = (
        "import sys, numpy as np; from autometa.transfer import Guard, History, Surrogate\n"
        f"s = Surrogate.load({str(tmp_path / 's.npz')!r}); h = History.of(s.space, [s.space.default], [0.5])\n"
        "Guard(s.space, None, s).suggest(h, rng=np.random.default_rng(0))\n"
        "assert not {'torch', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --------------------------------------------------------------------------------------------------- the guard


def guards() -> list[Any]:
    return [
        pytest.param(lambda: Guard(FLAT), id="cold"),
        pytest.param(lambda: Guard(FLAT, hills()), id="past"),
        pytest.param(lambda: Guard(FLAT, hills(), learned()), id="everything"),
    ]


every = pytest.mark.parametrize("make", guards())


@every
def test_what_is_suggested_is_in_the_space_and_new(make: Any) -> None:
    guard, rng = make(), np.random.default_rng(0)
    configs: list[Config] = []
    scores: list[float] = []
    for _ in range(8):
        found = guard.suggest(History.of(FLAT, configs, scores), rng=rng)
        assert FLAT.contains(found.config)
        assert config_key(found.config) not in {config_key(c) for c in configs}
        assert sum(found.weights.values()) == pytest.approx(1.0)
        assert found.reason.endswith(".")
        configs.append(found.config)
        scores.append(
            [-((found.config["a"] - 0.8) ** 2), np.nan, -np.inf][len(configs) % 5 if len(configs) % 5 < 3 else 0]
        )


@pytest.mark.parametrize("space", [FLAT, SPACE], ids=["flat", "conditional"])
def test_the_first_new_candidate_is_that_of_the_naive_loop(space: SearchSpace) -> None:
    guard, rng, found = Guard(space), np.random.default_rng(0), set()
    for case in range(40):
        tried = [space.sample(rng) for _ in range(rng.integers(0, 12))]
        history = History.of(space, tried, rng.random(len(tried)))
        some = [rng.random((4, space.d)), history.x, history.x + rng.choice([0, 1e-12, 0.004, 0.02]) * (case % 3)]
        where = guard.belief.layout.complete(np.clip(np.concatenate(some), 0, 1))
        values = rng.normal(size=len(where.x)) + 2 * (np.arange(len(where.x)) >= 4)  # what was tried looks best

        def is_new(x: np.ndarray, mask: np.ndarray, history: History = history) -> bool:
            pairs = zip(history.x, history.mask, strict=True)
            return all((np.abs(x - a) >= 1e-9).any() or (mask != m).any() for a, m in pairs)

        expected = None
        for row in np.argsort(-values, kind="stable"):
            config = space.decode(where.x[row])
            if is_new(where.x[row], where.mask[row]) and is_new(*space.encode(config)):
                expected = int(row)
                break
        assert guard._first_new(history, where, values) == expected
        found.add(expected == np.argmax(values))
    assert found == {True, False}  # the best one, and another where that was tried


@every
def test_a_suggestion_depends_neither_on_the_unit_nor_on_the_order(make: Any) -> None:
    guard, history = make(), history_of()
    ask = lambda h: guard.suggest(h, rng=np.random.default_rng(1))  # noqa: E731
    first = ask(history)
    assert config_key(ask(replace(history, scores=history.scores * 64 - 3)).config) == config_key(first.config)
    x, _ = points(FLAT, 30)
    pool = (FLAT.decode(row) for row in x)
    forecast = guard.predict(history, list(pool))
    again = guard.predict(history.at(np.arange(len(history))[::-1]), FLAT.encode_all([FLAT.decode(r) for r in x]))
    np.testing.assert_allclose(again.mean, forecast.mean, atol=1e-6)
    assert np.all((forecast.better >= 0) & (forecast.better <= 1))


def test_with_a_past_the_first_suggestions_are_near_the_best() -> None:
    guard, rng = Guard(FLAT, hills(), learned()), np.random.default_rng(0)
    configs: list[Config] = []
    for _ in range(3):
        history = History.of(FLAT, configs, [-((c["a"] - 0.8) ** 2) for c in configs])
        configs.append(guard.suggest(history, rng=rng).config)
    assert min(abs(c["a"] - 0.8) for c in configs) < 0.1


def test_a_past_that_misleads_loses_its_weight() -> None:
    guard = Guard(FLAT, hills(), learned())
    like, unlike = (
        (lambda c: -((c["a"] - 0.8) ** 2)),
        (lambda c: np.sin(20 * c["a"]) + 5 * (np.log10(c["b"]) + 1.5) ** 2),
    )
    trusting, wary = guard.weigh(history_of(like, 5)), guard.weigh(history_of(unlike, 20))
    assert trusting["cold"] < 0.1
    assert wary["cold"] > 0.95
    assert not guard.suggest(history_of(unlike, 20), rng=np.random.default_rng(0)).cold


def test_a_long_search_is_handed_over_and_answered_from_a_selection() -> None:
    guard, history = Guard(FLAT), history_of(m=900)
    found = guard.suggest(history, rng=np.random.default_rng(0))
    assert found.cold
    assert FLAT.contains(found.config)
    few = thinned(history, 300)
    assert len(few) == 300
    assert few.scores.max() == history.scores.max()
    assert few.scores.min() == history.scores.min()
    again = thinned(history.at(np.random.default_rng(1).permutation(900)), 300)
    np.testing.assert_array_equal(np.sort(again.scores), np.sort(few.scores))


def test_among_a_pool_the_row_of_the_best_is_named() -> None:
    guard, (x, _) = Guard(FLAT, hills(), learned()), points(FLAT, 50)
    found = guard.suggest(
        history_of(), rng=np.random.default_rng(0), among=FLAT.encode_all([FLAT.decode(r) for r in x])
    )
    assert found.row is not None
    assert config_key(found.config) == config_key(FLAT.decode(x[found.row]))
    assert abs(found.config["a"] - 0.8) < 0.15


def test_running_trials_take_uncertainty_away_but_teach_no_score() -> None:
    guard, history = Guard(FLAT), history_of(m=5)
    there: Config = {"a": 0.02, "b": 0.9}
    x, mask = FLAT.encode_all([there])
    running = History(np.vstack([history.x, x]), np.vstack([history.mask, mask]), np.append(history.scores, np.nan))
    before, after = guard.predict(history, [there]), guard.predict(running, [there])
    assert after.std[0] < 0.7 * before.std[0]
    assert after.mean[0] == pytest.approx(before.mean[0], abs=0.1)


def test_a_result_of_low_fidelity_tells_less() -> None:
    history = history_of(m=5)
    x, mask = FLAT.encode_all([{"a": 0.79, "b": 0.03}])
    grown = History(np.vstack([history.x, x]), np.vstack([history.mask, mask]), np.append(history.scores, -0.0001))
    stds = []
    for fidelity in (1.0, 0.5, 0.1):
        low = replace(grown, fidelity=np.append(np.ones(5), fidelity))
        opinion = Guard(FLAT).experts["cold"].adapt(WarpedHistory(low))
        stds.append(float(opinion.predict(x, mask).moments()[1][0] / np.std(WarpedHistory(low).y)))
    assert stds[0] < stds[1] < stds[2]


def test_a_family_without_parameters_is_tried_once_however_good_it_is() -> None:
    space = SearchSpace.cash({"plain": SearchSpace([]), "tree": SearchSpace([Parameter("rate", *real(0.0, 1.0, 0.5))])})
    tried: list[Config] = []
    for trial in range(12):
        scores = [1.0 if config[FAMILY] == "plain" else float(config["tree.rate"]) / 2 for config in tried]
        tried.append(Guard(space).suggest(History.of(space, tried, scores), rng=np.random.default_rng(trial)).config)
    assert [config[FAMILY] for config in tried].count("plain") == 1


def test_of_whole_numbers_the_last_ones_are_tried_before_any_again() -> None:
    space = SearchSpace.of(n=integer(1, 150, 1))
    tried: list[Config] = [{"n": n} for n in range(1, 151) if n % 10]
    history = History.of(space, tried, [-abs(config["n"] - 91.0) for config in tried])
    for seed in range(5):
        assert Guard(space).suggest(history, rng=np.random.default_rng(seed)).config["n"] % 10 == 0


@pytest.mark.parametrize("make", guards()[1:])
def test_with_little_time_left_the_cheap_is_preferred(make: Any) -> None:
    guard, history = make(), history_of(lambda c: -((c["a"] - 0.5) ** 2), 5)
    timed = replace(history, seconds=np.exp(3 * history.x[:, 0]))
    free, short = (
        np.mean([guard.suggest(timed, rng=np.random.default_rng(s), seconds_left=left).config["a"] for s in range(5)])
        for left in (None, 3.0)
    )
    assert short < free
    assert short < np.log(3.0) / 3 + 0.15


@pytest.mark.parametrize("growing", [{"tree"}, {"line"}])
def test_what_would_pass_the_limit_of_a_trial_is_tried_only_where_it_ends_early(growing: set[str]) -> None:
    rng = np.random.default_rng(0)
    configs = [SPACE.sample(rng) for _ in range(40)]
    scores = rng.normal(0, 1, (12, 40))
    guard = Guard(SPACE, past_of(SPACE, configs, scores, np.full((12, 40), 100.0)))
    limit = TrialLimit(10.0, frozenset(growing))
    for m in (0, 3):
        for left in (50.0, None):
            found = guard.suggest(history_of(lambda c: 0.5, m, space=SPACE), rng=rng, seconds_left=left, limit=limit)
            assert found.config[FAMILY] in growing


def test_what_was_never_tried_is_expected_to_take_as_long_as_its_parameters_and_the_size_of_the_table_say() -> None:
    rng = np.random.default_rng(0)
    space = SearchSpace.of(**{name: real(0.0, 1.0, 0.5) for name in "abcdef"})
    configs, unseen = ([space.sample(rng) for _ in range(60)] for _ in range(2))
    rows = np.geomspace(100, 10_000, 30).astype(int)

    def takes(config: Config, n: float) -> float:
        return n / 1000 * np.exp(3 * config["a"])

    past = past_of(space, configs, rng.normal(size=(30, 60)), np.array([[takes(c, n) for c in configs] for n in rows]))
    past = replace(past, records=tuple(replace(r, n_rows=int(n)) for r, n in zip(past.records, rows, strict=True)))
    nothing, where = History.of(space, [], []), space.encode_all(unseen)
    for n in (200, 5_000):
        looks = MetaFeatures(("rows", "columns", "classes"), np.array([n, 5.0, 2.0]), "1", {})
        expected = Guard(space, past, metafeatures=looks).belief.log_seconds(nothing, where)
        assert expected is not None
        misses = expected - np.log([takes(c, n) for c in unseen])
        assert np.sqrt(np.mean(misses**2)) < 0.1


def test_a_family_that_passed_the_limit_here_is_not_tried_again() -> None:
    rng = np.random.default_rng(0)
    configs = [SPACE.sample(rng) for _ in range(40)]
    scores = np.tile([1.0 if c[FAMILY] == "tree" else 0.0 for c in configs], (12, 1)) + rng.normal(0, 0.1, (12, 40))
    guard = Guard(SPACE, past_of(SPACE, configs, scores, np.ones((12, 40))))
    history = History.of(SPACE, [{FAMILY: "tree", "tree.boost": "plain", "tree.rate": 0.5}], [0.9])
    chosen = {
        took: guard.suggest(
            replace(history, seconds=np.array([took])), rng=rng, seconds_left=50.0, limit=TrialLimit(15.0)
        ).config[FAMILY]
        for took in (1.0, 100.0)
    }
    assert chosen == {1.0: "tree", 100.0: "line"}


def test_neighbours_of_failures_are_avoided() -> None:
    layout, (x, mask) = Layout(SPACE), points(SPACE, 30)
    history = History(x, mask, np.where(layout.family(x) == 0, -np.inf, 0.5))
    chance = chance_of_failure(layout, history, x, mask)
    assert chance[layout.family(x) == 0].min() > chance[layout.family(x) == 1].max()


def test_a_conditional_space_is_searched_as_one() -> None:
    rng, guard = np.random.default_rng(0), Guard(SPACE)
    configs = [SPACE.sample(rng) for _ in range(6)]
    score = lambda c: 1 - (c["tree.rate"] - 0.3) ** 2 if c["family"] == "tree" else 0.2  # noqa: E731
    for _ in range(14):
        configs.append(guard.suggest(History.of(SPACE, configs, [score(c) for c in configs]), rng=rng).config)
        assert SPACE.contains(configs[-1])
    late = configs[-8:]
    assert sum(c["family"] == "tree" for c in late) >= 6
    assert min(abs(c["tree.rate"] - 0.3) for c in late if c["family"] == "tree") < 0.05


def test_options_are_handed_down_to_all_that_is_asked() -> None:
    history = history_of(m=6)
    changed = Guard(FLAT, hills(), options=replace(OPTIONS, without_surrogate=(("past", 1.0),), longest_history=5))
    assert list(changed.weigh(history)) == ["past"]
    assert changed.suggest(history, rng=np.random.default_rng(0)).cold
    assert not Guard(FLAT, hills()).suggest(history, rng=np.random.default_rng(0)).cold


def test_restricted_to_some_families_it_answers_as_before() -> None:
    from autometa.families import cash_space
    from autometa.transfer.meta.network import initial

    space = cash_space("binary")
    part = space.only(["knn", "lightgbm", "svm"])
    rng = np.random.default_rng(0)
    whole = Surrogate(space, (initial(Layout(space), rng),), ("warped",), 0.0, {})
    configs, scores = [part.sample(rng) for _ in range(12)], rng.random(12)
    answers = [
        surrogate.posterior(History.of(s, configs[:5], scores[:5]), *s.encode_all(configs))
        for surrogate, s in ((whole, space), (whole.restricted(part), part))
    ]
    for before, after in zip(*answers, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-12)
    with pytest.raises(InputError, match="not in the space"):
        whole.restricted(SearchSpace.of(unheard_of=real(0.0, 1.0, 0.5)))


class TestSeveral:
    """Several from one belief: each but the first as if those before it ran."""

    def test_the_first_is_the_one_and_no_two_are_alike(self):
        guard, history = Guard(SPACE, None), of_space(9)
        one = guard.suggest(history, rng=np.random.default_rng(3))
        many = guard.suggest_several(history, 6, rng=np.random.default_rng(3))
        assert (many[0].config, many[0].expected, many[0].reason) == (one.config, one.expected, one.reason)
        assert len({config_key(found.config) for found in many}) == 6
        assert all(SPACE.contains(found.config) for found in many)
        assert many[1].expected < many[0].expected  # the first one runs

    def test_of_a_pool_each_is_taken_once(self):
        among = SPACE.encode_all([SPACE.sample(np.random.default_rng(k)) for k in range(4)])
        found = Guard(SPACE, None).suggest_several(of_space(5), 9, rng=np.random.default_rng(0), among=among)
        assert sorted(one.row for one in found) == [0, 1, 2, 3]

    def test_what_is_left_after_one_and_another_is_what_is_left_after_both(self):
        guard, history = Guard(FLAT, hills()), History.of(FLAT, [FLAT.sample(np.random.default_rng(1))], [0.3])
        where = FLAT.encode_all([FLAT.sample(np.random.default_rng(k)) for k in range(30)])
        updated = guard.belief.after(history)
        std = updated.mixture(where).std
        left, other = updated.left(where), updated.left(where)
        assert next(left).shape == std.shape == next(other).shape
        one_first, other_first = [left.send(row) for row in (3, 8)], [other.send(row) for row in (8, 3)]
        np.testing.assert_allclose(one_first[1], other_first[1], rtol=1e-6)
        assert (one_first[1] <= one_first[0] + 1e-9).all()
        assert (one_first[0] <= 1 + 1e-9).all()
        assert one_first[0][3].max() < 0.6  # there next to nothing is left to be learned

    def test_conditioning_one_by_one_is_conditioning_at_once(self):
        rng = np.random.default_rng(0)
        x = rng.random((9, 2))
        covariance = np.exp(-((x[:, None] - x[None]) ** 2).sum(axis=2) / 0.2)
        noise, (few, more) = 0.01, (np.arange(4), np.arange(5))
        before, after = (
            Adapted(
                rng.random(len(rows)),
                np.zeros((len(rows), 1)),
                covariance[np.ix_(rows, rows)] + noise * np.eye(len(rows)),
            )
            for rows in (few, more)
        )
        left = before.between(covariance[:, few], covariance)
        own = left[:, 4]
        np.testing.assert_allclose(
            left - np.outer(own, own) / (own[4] + noise), after.between(covariance[:, more], covariance), atol=1e-9
        )


def of_space(m: int) -> History:
    configs = [SPACE.sample(np.random.default_rng(100 + k)) for k in range(m)]
    return History.of(SPACE, configs, np.random.default_rng(7).random(m))
