"""What a GPU needs of few-shot training, shown without one: nothing in a step asks a tensor for its value.

On the device `meta` tensors have shapes and no values: whatever reads one (``float``, ``bool``, ``item``), or makes a
tensor on the processor on the way, fails there as it would wait, or fail, on a GPU. What needs a real one is skipped.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_fewshot import CASES, batch, built
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from autometa.errors import RunError
from autometa.families.learners.adam import adam_step, adam_steps
from autometa.fewshot import TrainingSettings, load_data, make, train
from autometa.fewshot.accelerate import Recorded, memory_told, precision_of
from autometa.fewshot.backends import find_device, meta_gradient
from autometa.fewshot.data.classes import Classes
from autometa.fewshot.evaluation import answers
from autometa.fewshot.learner import Training
from autometa.fewshot.learners import LEARNERS
from autometa.fewshot.networks import Norms, norm_weights
from autometa.fewshot.optimiser import Optimiser
from autometa.fewshot.precision import convolved, lowered

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch sees")


class OnlyThere(TorchDispatchMode):
    """Fails where an operation makes a tensor of more than a number anywhere else."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = torch.device(device).type

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, torch.Tensor) and one.device.type != self.device and one.ndim:
                raise AssertionError(f"{function} made a tensor on {one.device}")
        return out


def stepped(name, problem, device):
    """A meta-gradient, a step of the optimiser and answers, all on a device."""
    learner, episode = built(name, problem), batch(problem)
    weights = {k: w.to(device) for k, w in learner.initialise(torch.Generator().manual_seed(0)).items()}
    episode = tree_map(lambda a: (a.float() if a.is_floating_point() else a).to(device), episode)
    optimiser = Optimiser(replace(learner.training, clip=1.0, decay=0.1), 10)
    with OnlyThere(device):
        loss, gradients, outcome = meta_gradient(learner, weights, episode, "vmap")
        optimiser.move(weights, gradients, optimiser.initialise(gradients), 0)
        found = answers(learner, weights, episode)
    return [loss, *gradients.values(), outcome.outputs, found]


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_no_step_of_a_learner_asks_for_a_value_or_leaves_the_device(name, problem):
    for tensor in stepped(name, problem, "meta"):
        assert tensor.device.type == "meta"


def test_the_guard_hears_what_leaves_the_device_and_what_asks():
    with pytest.raises(AssertionError, match="made a tensor on cpu"), OnlyThere("meta"):
        torch.zeros(3)
    with pytest.raises((RuntimeError, NotImplementedError)):
        float(torch.zeros((), device="meta"))


@NEEDS_GPU
@pytest.mark.parametrize(("name", "problem"), CASES)
def test_a_gpu_gives_the_numbers_of_the_processor(name, problem):
    for here, there in zip(stepped(name, problem, "cpu"), stepped(name, problem, "cuda"), strict=True):
        torch.testing.assert_close(there.cpu(), here, rtol=2e-2, atol=2e-2)  # TF32 and bfloat16


# ------------------------------------------------------------------------------------------------------------ precision


def test_only_learners_that_measure_distances_say_that_their_convolutions_may_be_coarse(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    low = {name for name, learner in LEARNERS.items() if precision_of(learner, "cuda") == "bfloat16"}
    assert low == {"protonet", "matching"}  # and not the set kernel, which solves
    assert {precision_of(learner, "cpu") for learner in LEARNERS.values()} == {"float32"}


def test_coarse_convolutions_leave_statistics_and_results_in_float32():
    h = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    kernel = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    fine = convolved(h, kernel)
    with lowered():
        coarse, seen = convolved(h, kernel), Norms(seen={})
        moments = seen.moments(norm_weights("norm", 4), "norm", coarse, torch.ones(6))
    assert coarse.dtype == moments[0].dtype == moments[1].dtype == torch.float32
    assert not torch.equal(coarse, fine)
    torch.testing.assert_close(coarse, fine, rtol=0.1, atol=0.1)
    torch.testing.assert_close(moments[1], coarse.var((0, 2, 3), unbiased=False))
    assert torch.equal(convolved(h, kernel), fine)  # outside it is as before


# ------------------------------------------------------------------------------------------------------ recorded steps


def pretended(step):
    """As a GPU records: the results' places stay, and replaying fills them anew."""
    kept = step()

    def replay():
        for place, value in zip(tree_leaves(kept), tree_leaves(step()), strict=True):
            place.copy_(value)

    return replay, kept


def test_a_recorded_step_is_the_step_for_every_shape_and_for_weights_that_moved():
    problem = next(case.values[1] for case in CASES if case.values[0] == "maml")
    learner, said = built("maml", problem), []
    weights = learner.initialise(torch.Generator().manual_seed(0))
    recorded = []
    step = Recorded(said.append, lambda function: recorded.append(1) or pretended(function))
    for seed, shot in ((0, 2), (1, 2), (2, 1), (3, 2), (4, 1)):
        episode = tree_map(lambda a: a.float() if a.is_floating_point() else a, batch(problem, shot=shot, seed=seed))
        found, wanted = step(learner, weights, episode, "vmap"), meta_gradient(learner, weights, episode, "vmap")
        for ours, plain in zip(tree_leaves(found), tree_leaves(wanted), strict=True):
            assert torch.equal(ours, plain)
        for w in weights.values():
            w.mul_(0.9)  # in place, as the optimiser does
    assert (len(recorded), said) == (2, [])
    step(learner, {k: w.clone() for k, w in weights.items()}, episode, "vmap")
    assert len(recorded) == 3  # other weights are not the ones that were recorded


def test_where_a_step_cannot_be_recorded_that_is_said_once_and_memory_is_not_taken_for_it():
    problem = next(case.values[1] for case in CASES if case.values[0] == "maml")
    learner, said = built("maml", problem), []
    weights = learner.initialise(torch.Generator().manual_seed(0))
    episode = tree_map(lambda a: a.float() if a.is_floating_point() else a, batch(problem))

    def refuses(step):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    step = Recorded(said.append, refuses)
    for _ in range(2):
        found = step(learner, weights, episode, "vmap")
        assert torch.equal(found[0], meta_gradient(learner, weights, episode, "vmap")[0])
    assert said == [
        "a step cannot be recorded, and is launched part by part: operation not permitted when stream is capturing"
    ]

    def full(step):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")

    with pytest.raises(RunError, match=r"too little memory for 32 tasks at once .*Lower --tasks"), memory_told(32):
        Recorded(said.append, full)(learner, weights, episode, "vmap")


@NEEDS_GPU
def test_a_gpu_records_and_replays_a_step():
    digits = load_data("digits")
    learner = make(LEARNERS["maml"], digits.train.problem(5), {"width": 8})
    training, said = Training(tasks=4, query=3), []
    settings = TrainingSettings(6, query=3, look_every=6, look_episodes=8, backend="vmap")
    plain = train(learner, digits, settings, training=training, device="cuda")
    fast = train(learner, digits, replace(settings, compile=True), training=training, device="cuda", say=said.append)
    assert not any("cannot be recorded" in text for text in said)
    for name, w in plain.weights.items():
        torch.testing.assert_close(fast.weights[name], w, rtol=1e-2, atol=1e-2)


# ------------------------------------------------------------------------------------------- drawn where the data are


def test_episodes_drawn_on_the_device_are_of_distinct_examples_of_their_classes_turned_as_they_say():
    sizes = (6, 9, 5)
    x = torch.arange(20 * 9).view(20, 1, 3, 3).to(torch.uint8)
    rows = tuple(np.split(np.arange(20), np.cumsum(sizes)[:-1]))
    source = Classes(x, rows, ("a", "b", "c"), ("d",) * 3, turns=4)
    keys = torch.tensor([[0, 4, 11], [8, 3, 7]])  # classes 0, 1, 2 turned 0, 1, 3; 2, 0, 1 turned 2, 1, 2
    found, order = source.drawn(keys, 2, 5, torch.Generator().manual_seed(0))
    assert found.shape == (6, 5, 1, 3, 3)
    assert order.sort(1).values.tolist() == [list(range(6))] * 2
    for examples, key in zip(found, keys.flatten().tolist(), strict=True):
        known = {tuple(torch.rot90(x[row], key // 3, (-2, -1)).flatten().tolist()) for row in rows[key % 3]}
        drawn = {tuple(one.flatten().tolist()) for one in examples}
        assert len(drawn) == 5
        assert drawn <= known
    again, _ = source.drawn(keys, 2, 5, torch.Generator().manual_seed(0))
    other, _ = source.drawn(keys, 2, 5, torch.Generator().manual_seed(1))
    assert torch.equal(found, again)
    assert not torch.equal(found, other)
    meta = replace(source, x=x.to("meta"))
    assert meta.drawn(keys.to("meta"), 2, 5, None)[0].shape == found.shape  # nothing in it asks for a value


# ------------------------------------------------------------------------------------------------------------ the rest


def test_many_weights_take_adams_step_together_as_each_would_alone():
    g = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=g) for shape in ((3, 2), (4,), (2, 2, 3))]
    zeros = [torch.zeros_like(w) for w in start]
    one, many = [w.clone() for w in start], [w.clone() for w in start]
    states = [([z.clone() for z in zeros], [z.clone() for z in zeros]) for _ in range(2)]
    for step in range(5):
        gradients = [torch.randn(w.shape, generator=g) for w in start]
        for w, grad, slope, square in zip(one, gradients, *states[0], strict=True):
            adam_step(w, grad, slope, square, step=step, rate=0.01, betas=(0.9, 0.999))
        adam_steps(many, gradients, *states[1], step=step, rate=0.01, betas=(0.9, 0.999))
    for a, b in zip(one, many, strict=True):
        assert torch.equal(a, b)


def test_a_device_is_found_by_name_and_refused_where_it_is_not():
    assert find_device("cpu") == "cpu"
    assert find_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(Exception, match="device"):
        find_device("cuda:99")
    with pytest.raises(Exception, match="Known: auto, cpu, cuda"):
        find_device("gpu")


def test_the_plan_for_a_gpu_goes_through_in_order_and_says_what_was_cut(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    from fewshot_gpu import PLAN, Row, conduct

    assert 0.05 < 1 - sum(row.share for row in PLAN) < 0.2  # for gradients and speed
    rows = (Row("protonet", 0.5, 60, 1, 2, {"way": 60, "query": 2}, ((3, 1),), {(3, 1): "98.8"}),) * 2
    lines = []
    conduct(load_data("digits"), device="cpu", seconds=1e-9, keep=lines.append, plan=rows, episodes=4)
    assert [line["what"] for line in lines] == ["gradient"] * 6 + ["cut"] * 2
    assert all(line["good"] for line in lines[:6])
    lines.clear()
    monkeypatch.setattr("fewshot_gpu.MEASURED", 0)
    conduct(load_data("digits"), device="cpu", seconds=600, keep=lines.append, plan=rows[:1], episodes=4)
    found = lines[-1]
    assert (found["what"], found["published"], found["steps"]) == ("published row", "98.8", 2)
    assert 0 <= found["accuracy"] <= 100
