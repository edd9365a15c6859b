"""Promises of `space`: round trips, membership and masks for any space, and what makes a CASH space one."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autometa.space import (
    FAMILY,
    Condition,
    Parameter,
    SearchSpace,
    choice,
    config_key,
    integer,
    real,
    split_family,
)

# any space ------------------------------------------------------------------------------------------------------------

names = st.text("abcdefgh_é", min_size=1, max_size=4)
labels = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1.5]), st.text(max_size=3))


def distinct(choices: list[Any]) -> bool:
    return len({(type(c), c) for c in choices}) == len(choices)


@st.composite
def distributions(draw: st.DrawFn) -> FloatDistribution | IntDistribution | CategoricalDistribution:
    kind = draw(st.sampled_from(["float", "float_step", "float_log", "int", "int_step", "int_log", "categorical"]))
    if kind == "categorical":
        return CategoricalDistribution(tuple(draw(st.lists(labels, min_size=1, max_size=4).filter(distinct))))
    if kind == "float":
        low = draw(st.floats(-1e6, 1e6))
        return FloatDistribution(low, low + draw(st.floats(0, 1e6)))
    if kind == "float_step":
        step = draw(st.sampled_from(["0.1", "0.25", "3"]))
        return FloatDistribution(0.0, float(Decimal(step) * draw(st.integers(0, 50))), step=float(step))
    if kind == "float_log":
        low = draw(st.floats(1e-8, 1e3))
        return FloatDistribution(low, low * draw(st.floats(1, 1e8)), log=True)
    low = draw(st.integers(1, 1000)) if kind == "int_log" else draw(st.integers(-1000, 1000))
    high = low + draw(st.integers(0, 10_000))
    step = draw(st.integers(2, 7)) if kind == "int_step" else 1
    return IntDistribution(low, high - (high - low) % step, log=kind == "int_log", step=step)


def values(distribution: FloatDistribution | IntDistribution | CategoricalDistribution) -> st.SearchStrategy[Any]:
    """Any value that the distribution may take."""
    if isinstance(distribution, CategoricalDistribution):
        return st.sampled_from(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return st.integers(0, (distribution.high - distribution.low) // distribution.step).map(
            lambda k: distribution.low + k * distribution.step
        )
    if distribution.step is not None:
        steps = round((distribution.high - distribution.low) / distribution.step)
        return st.integers(0, steps).map(lambda k: min(distribution.low + k * distribution.step, distribution.high))
    return st.floats(distribution.low, distribution.high)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    parameters: list[Parameter] = []
    for name in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
        distribution = draw(distributions())
        parents = [p for p in parameters if isinstance(p.distribution, CategoricalDistribution)]
        when = None
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            when = Condition(parent.name, (draw(values(parent.distribution)),))
        parameters.append(Parameter(name, distribution, draw(values(distribution)), when))
    return SearchSpace(parameters)


@st.composite
def spaces_and_configs(draw: st.DrawFn) -> tuple[SearchSpace, dict[str, Any]]:
    space = draw(spaces())
    return space, space.complete({p.name: draw(values(p.distribution)) for p in space})


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Equal in keys, their order, types and values, floats to rounding."""
    return list(left) == list(right) and all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
        if isinstance(a, float) and isinstance(b, float)
        else type(a) is type(b) and a == b
        for a, b in zip(left.values(), right.values(), strict=True)
    )


@given(spaces_and_configs())
def test_decode_undoes_encode(drawn):
    space, config = drawn
    encoded = space.encode(config)
    assert encoded.x.shape == encoded.mask.shape == (space.d,)
    assert ((encoded.x >= 0) & (encoded.x <= 1)).all()
    decoded = space.decode(encoded.x)
    scale = {
        p.name: max(1.0, abs(p.distribution.low), abs(p.distribution.high))
        for p in space
        if isinstance(p.distribution, FloatDistribution)
    }
    assert same(
        {k: v / scale.get(k, 1) if k in scale else v for k, v in decoded.items()},
        {k: v / scale[k] if k in scale else v for k, v in config.items()},
    )


@given(spaces_and_configs())
def test_the_mask_is_one_exactly_at_active_parameters(drawn):
    space, config = drawn
    x, mask = space.encode(config)
    naive = np.concatenate([[p.name in config] * p.width for p in space])
    assert (mask == naive).all()
    assert (x[~mask] == 0).all()


@given(spaces(), st.integers(0, 2**32 - 1))
def test_what_is_sampled_is_contained_and_repeats_under_its_seed(space, seed):
    config = space.sample(np.random.default_rng(seed))
    assert space.problems(config) == []
    assert config == space.sample(np.random.default_rng(seed))


@given(spaces(), st.data())
def test_any_point_decodes_to_a_contained_configuration(space, data):
    x = np.array(data.draw(st.lists(st.floats(-2, 3), min_size=space.d, max_size=space.d)))
    assert space.contains(space.decode(x))


@given(spaces(), st.integers(0, 9), st.integers(0, 99))
def test_a_filling_has_the_asked_length_and_is_contained(space, m, seed):
    configs = space.fill(m, seed)
    assert len(configs) == m
    assert all(map(space.contains, configs))
    assert configs == space.fill(m, seed)


anything = st.one_of(labels, st.floats(), st.integers(), st.just(np.float64(0.5)), st.just(np.int64(2)), st.just([1]))


@given(spaces(), st.data())
def test_whatever_is_clipped_is_contained_and_every_change_is_said(space, data):
    given_config = {
        name: data.draw(anything) for name in data.draw(st.sets(st.sampled_from([*(p.name for p in space), "unknown"])))
    }
    clipped, changes = space.clip(given_config)
    assert space.contains(clipped)
    assert (changes == []) == space.contains(given_config)
    assert space.clip(clipped) == (clipped, [])


@given(spaces_and_configs())
def test_a_contained_configuration_is_left_alone(drawn):
    space, config = drawn
    assert space.contains(config)
    assert space.clip(config) == (config, [])
    assert space.complete(config) == config


@given(spaces_and_configs(), st.data())
def test_a_missing_an_unknown_and_an_inactive_parameter_are_each_named(drawn, data):
    space, config = drawn
    lost = data.draw(st.sampled_from(list(config)))
    children = {p.name for p in space if p.when is not None}
    assume(not any(p.when is not None and p.when.name == lost for p in space))
    broken = {k: v for k, v in config.items() if k != lost} | {"unknown": 1}
    assert any(text.startswith(f"{lost}: missing") for text in space.problems(broken))
    assert any(text.startswith("unknown: unknown") for text in space.problems(broken))
    for inactive in children - set(config):
        extended = config | {inactive: space[inactive].default}
        assert space.problems(extended) == [f"{inactive}: inactive under this configuration"]


@given(spaces())
def test_a_space_reads_back_equal_from_json(space):
    read = SearchSpace.from_json(space.to_json())
    assert read == space
    assert read.fingerprint == space.fingerprint
    assert hash(read) == hash(space)
    assert read.default == space.default


@given(spaces(), spaces())
def test_fingerprints_agree_exactly_when_spaces_do(one, other):
    assert (one.fingerprint == other.fingerprint) == (one == other)


@given(spaces())
def test_optuna_suggests_contained_configurations(space):
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    config = space.suggest(trial)
    assert space.contains(config)
    assert trial.params == config
    assert {name: space[name].distribution for name in config} == trial.distributions


@given(spaces_and_configs())
def test_stacked_encodings_are_the_single_ones(drawn):
    space, config = drawn
    stacked = space.encode_all([config, space.default])
    assert (stacked.x == np.stack([space.encode(config).x, space.encode(space.default).x])).all()
    assert (stacked.mask == np.stack([space.encode(config).mask, space.encode(space.default).mask])).all()
    assert space.encode_all([]).x.shape == (0, space.d)


@given(
    st.dictionaries(
        names,
        st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.booleans(), st.none()),
    )
)
def test_a_config_key_ignores_the_order_and_the_numeric_library(config):
    shuffled = dict(reversed(config.items()))
    through_numpy = {k: np.float64(v) if isinstance(v, float) else v for k, v in shuffled.items()}
    assert config_key(config) == config_key(shuffled) == config_key(through_numpy)


def test_configs_that_differ_have_keys_that_differ():
    assert len({config_key({"a": v}) for v in (1, 1.5, "1", True, None, 2)}) == 6


# what a space refuses -------------------------------------------------------------------------------------------------


def test_a_space_refuses_a_name_twice_a_child_before_its_parent_and_a_default_outside():
    flag = Parameter("flag", CategoricalDistribution((True, False)), True)
    child = Parameter("child", FloatDistribution(0, 1), 0.5, Condition("flag", (True,)))
    with pytest.raises(ValueError, match="'flag' occurs twice"):
        SearchSpace([flag, flag])
    with pytest.raises(ValueError, match="'child' depends on 'flag'"):
        SearchSpace([child, flag])
    with pytest.raises(ValueError, match=r"default of 'x', 2\.0"):
        SearchSpace.of(x=(FloatDistribution(0, 1), 2.0))


def test_a_parameter_that_is_not_there_is_a_key_error_with_a_suggestion():
    with pytest.raises(KeyError, match="Did you mean 'depth'"):
        SearchSpace.of(depth=integer(1, 9, 3))["dept"]


@pytest.mark.parametrize("value", [True, "3", None, float("nan"), float("inf"), 2.5, 10, -1])
def test_an_integer_parameter_contains_whole_numbers_in_range_only(value):
    space = SearchSpace.of(depth=integer(1, 9, 3))
    assert not space.contains({"depth": value})
    assert space.contains(space.clip({"depth": value})[0])


def test_a_choice_tells_one_from_true_and_from_a_float():
    space = SearchSpace.of(c=choice(1, True, 1.0, "1", None))
    for value in (1, True, 1.0, "1", None):
        decoded = space.decode(space.encode({"c": value}).x)["c"]
        assert type(decoded) is type(value)
        assert decoded == value


def test_bounds_whose_logarithms_are_one_float_encode_all_the_same():
    space = SearchSpace.of(rate=real(17.0, math.nextafter(17.0, 18.0), 17.0, log=True))
    assert space.contains(space.decode(space.encode(space.default).x))


# CASH -----------------------------------------------------------------------------------------------------------------

TREES = SearchSpace(
    [
        Parameter("bootstrap", CategoricalDistribution((True, False)), True),
        Parameter("share", FloatDistribution(0.1, 1.0), 1.0, Condition("bootstrap", (True,))),
        Parameter("rate", FloatDistribution(1e-4, 1.0, log=True), 0.1),
    ]
)
CASH = SearchSpace.cash(
    {"trees": TREES, "knn": SearchSpace.of(k=integer(1, 50, 5, log=True)), "bayes": SearchSpace([])}
)


def test_a_cash_space_starts_with_its_first_family_at_its_defaults():
    assert CASH.default == {FAMILY: "trees", "trees.bootstrap": True, "trees.share": 1.0, "trees.rate": 0.1}


def test_the_defaults_are_one_configuration_per_family():
    assert CASH.defaults() == [CASH.default, {FAMILY: "knn", "knn.k": 5}, {FAMILY: "bayes"}]
    assert TREES.defaults() == [TREES.default]


def test_a_condition_within_a_family_survives_the_joining():
    off = CASH.complete({FAMILY: "trees", "trees.bootstrap": False})
    assert off == {FAMILY: "trees", "trees.bootstrap": False, "trees.rate": 0.1}


def test_a_parameter_of_another_family_is_inactive():
    assert CASH.problems({FAMILY: "bayes", "knn.k": 5}) == ["knn.k: inactive under this configuration"]


def test_splitting_the_family_off_gives_its_own_configuration():
    for config in CASH.fill(30):
        family, own = split_family(config)
        assert {FAMILY: family, **{f"{family}.{k}": v for k, v in own.items()}} == config


@given(st.integers(1, 40))
def test_in_a_filling_of_a_cash_space_the_families_take_turns(m):
    assert [config[FAMILY] for config in CASH.fill(m)] == [("trees", "knn", "bayes")[i % 3] for i in range(m)]


def test_a_filling_covers_a_logarithmic_parameter_evenly_in_its_logarithm():
    space = SearchSpace.of(rate=real(1e-4, 1.0, 0.1, log=True))
    exponents = [math.floor(math.log10(config["rate"])) for config in space.fill(64)]
    assert all(12 <= exponents.count(e) <= 20 for e in (-4, -3, -2, -1))


def test_a_restricted_cash_space_contains_the_configurations_of_its_families_only():
    some = CASH.only(["knn", "trees"])
    assert some[FAMILY].default == "knn"
    for config in CASH.fill(30):
        assert some.contains(config) == (config[FAMILY] != "bayes")
