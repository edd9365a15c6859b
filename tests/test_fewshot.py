"""What every few-shot learner promises, and that its meta-gradient is what a plain loop gives."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, cross_entropy, linear, mse_loss, relu

from autometa.errors import InputError
from autometa.fewshot import LEARNERS, Episode, EpisodeSpec, Examples, make
from autometa.fewshot.backends import group_size, meta_gradient, mixes, over_tasks, tune
from autometa.fewshot.episode import mean_loss
from autometa.fewshot.explain import change, evidence
from autometa.fewshot.networks import RUNNING, Conv4, Norms, norm_weights, normalised
from autometa.fewshot.precision import convolved
from autometa.fewshot.unbatched import unbatched

IMAGES = EpisodeSpec("classification", (1, 8, 8), 3, known_classes=7)
VECTORS = EpisodeSpec("classification", (5,), 3)
VALUES = EpisodeSpec("regression", (1,), 1)
TINY = {"width": 4, "hidden": 5, "rows": 6, "row_width": 3, "heads": 2, "steps": 2, "test_steps": 3}
CASES = [
    pytest.param(name, problem, id=f"{name}-{problem.kind}-{len(problem.shape)}d")
    for name, kind in LEARNERS.items()
    for problem in (IMAGES, VECTORS, VALUES)
    if problem.kind in kind.kinds
]
IMAGE_CASES = [case for case in CASES if case.values[1] is IMAGES]
BY_DESCENT = ("maml", "fomaml", "anil", "meta_sgd", "reptile", "lstm_meta", "learned_optimizer")


def built(name: str, problem: EpisodeSpec, **options):
    known = {field.name for field in fields(LEARNERS[name])}
    return make(LEARNERS[name], problem, {k: v for k, v in {**TINY, **options}.items() if k in known})


def fresh(learner, seed: int = 0) -> dict[str, Tensor]:
    """Weights in double precision, none of them zero or at the symmetric place where they begin."""
    weights = learner.initialise(torch.Generator().manual_seed(seed))
    g = torch.Generator().manual_seed(seed + 1)
    return {
        name: w.double()
        if name.endswith("variance")
        else w.double() + 0.05 * torch.randn(w.shape, generator=g).double()
        for name, w in weights.items()
    }


def batch(problem: EpisodeSpec, t: int = 3, shot: int = 2, query: int = 2, seed: int = 0) -> Episode:
    g = torch.Generator().manual_seed(seed)
    c = problem.outputs if problem.kind == "classification" else 1

    def part(k: int) -> Examples:
        x = torch.randn((t, c * k, *problem.shape), generator=g, dtype=torch.float64)
        if problem.kind == "regression":
            return Examples(x, x.sin(), torch.ones(t, c * k, dtype=torch.float64))
        y = torch.arange(c).repeat_interleave(k)[torch.randperm(c * k, generator=g)].expand(t, -1).clone()
        x += y.view(t, -1, *(1 for _ in problem.shape))
        return Examples(x, y, torch.ones(t, c * k, dtype=torch.float64))

    return Episode(part(shot), part(query), torch.arange(c).expand(t, -1).clone())


def answered(learner, weights, task: Episode) -> Tensor:
    return learner.predict(weights, learner.adapt(weights, task.support), task.query)


def padded(examples: Examples, extra: int) -> Examples:
    x = torch.cat([examples.x, torch.full((extra, *examples.x.shape[1:]), 9.0, dtype=torch.float64)])
    y = torch.cat([examples.y, torch.zeros((extra, *examples.y.shape[1:]), dtype=examples.y.dtype)])
    return Examples(x, y, torch.cat([examples.mask, torch.zeros(extra, dtype=torch.float64)]))


# ------------------------------------------------------------------------------------------------- what all promise


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_padding_changes_nothing(name, problem):
    learner = built(name, problem)
    weights, task = fresh(learner), batch(problem).task(0)
    wide = Episode(padded(task.support, 3), padded(task.query, 2), task.classes)
    q = len(task.query.y)
    assert torch.allclose(answered(learner, weights, wide)[:q], answered(learner, weights, task), atol=1e-10)
    assert torch.allclose(learner.loss(weights, wide)[0], learner.loss(weights, task)[0], atol=1e-10)


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_the_order_of_queries_changes_their_order_only(name, problem):
    learner = built(name, problem)
    weights, task = fresh(learner), batch(problem).task(0)
    order = torch.randperm(len(task.query.y), generator=torch.Generator().manual_seed(3))
    shuffled = task._replace(query=Examples(*(a[order] for a in task.query)))
    assert torch.allclose(answered(learner, weights, shuffled), answered(learner, weights, task)[order], atol=1e-10)


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_only_a_transductive_learner_answers_otherwise_when_other_queries_are_asked(name, problem):
    learner = built(name, problem)
    weights, task = fresh(learner), batch(problem).task(0)
    single = task._replace(query=Examples(*(a[:1] for a in task.query)))
    same = torch.allclose(answered(learner, weights, single), answered(learner, weights, task)[:1], atol=1e-10)
    normed = any(weight.startswith("norm") for weight in weights)
    assert same == (not (learner.transductive and normed))


@pytest.mark.parametrize(("name", "problem"), [case for case in CASES if case.values[1].kind == "classification"])
def test_renaming_the_classes_renames_the_answers(name, problem):
    learner = built(name, problem)
    weights, task = fresh(learner), batch(problem).task(0)
    new = torch.tensor([2, 0, 1])  # old label k is called new[k]
    back = new.argsort()
    renamed = Episode(
        task.support._replace(y=new[task.support.y]), task.query._replace(y=new[task.query.y]), task.classes[back]
    )
    rows = {k: w[back] if k.rsplit(".", 1)[-1].startswith("head") else w for k, w in weights.items()}
    before, after = answered(learner, weights, task), answered(learner, rows, renamed)
    assert torch.allclose(after[:, new], before, atol=1e-10)
    assert torch.allclose(learner.loss(rows, renamed)[0], learner.loss(weights, task)[0], atol=1e-10)


@pytest.mark.parametrize(
    ("name", "problem"), [c for c in CASES if hasattr(LEARNERS[c.values[0]], "test_steps") or c.values[0] in BY_DESCENT]
)
def test_zero_inner_steps_are_the_identity(name, problem):
    learner = built(name, problem, steps=0, test_steps=0)
    weights = fresh(learner)
    adapted = learner.adapt(weights, batch(problem).task(0).support)
    adapted = adapted.get("moved", adapted)  # of one that keeps class means beside them
    assert adapted
    assert all(torch.equal(w, weights[key]) for key, w in adapted.items())


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_all_back_ends_give_the_same_loss_gradient_and_answers(name, problem):
    learner = built(name, problem)
    weights, episode = fresh(learner), batch(problem)
    loss, gradients, outcome = meta_gradient(learner, weights, episode, "loop")
    assert set(gradients) == {key for key in weights if not key.startswith(RUNNING)}
    assert any(g.abs().max() > 0 for g in gradients.values())
    for backend in ("vmap", "chunk2", "mixed"):
        again = meta_gradient(learner, weights, episode, backend)
        assert abs(again[0] - loss) <= 1e-10 * max(1, abs(loss))
        for key, gradient in gradients.items():
            assert (again[1][key] - gradient).abs().max() <= 1e-10 * max(1, gradient.abs().max()), key
        assert torch.allclose(again[2].outputs, outcome.outputs, atol=1e-10)
        assert all(torch.allclose(a, outcome.statistics[k], atol=1e-10) for k, a in again[2].statistics.items())


@pytest.mark.parametrize(("name", "problem"), IMAGE_CASES)
def test_a_class_without_examples_breaks_nothing(name, problem):
    learner = built(name, problem)
    weights, task = fresh(learner), batch(problem).task(0)
    support = task.support._replace(mask=task.support.mask * (task.support.y != 2))
    loss, outcome = learner.loss(weights, task._replace(support=support))
    assert torch.isfinite(loss)
    assert torch.isfinite(outcome.outputs).all()


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_every_answer_has_evidence_for_each_support_example(name, problem):
    learner = built(name, problem)
    weights, task = fresh(learner), batch(problem).task(0)
    found = evidence(learner, weights, task.support, task.query)
    assert found.shape == (len(task.query.y), len(task.support.y))
    assert torch.isfinite(found).all()
    if hasattr(learner, "attention"):
        assert torch.allclose(found.sum(1), torch.ones(len(found), dtype=torch.float64))


@pytest.mark.parametrize("name", BY_DESCENT)
def test_adaptation_of_a_gradient_learner_is_told(name):
    learner = built(name, IMAGES)
    weights, task = fresh(learner), batch(IMAGES).task(0)
    told = change(learner, weights, task.support, task.query)
    assert told is not None
    assert max(told["moved"].values()) > 0
    assert told["before"].shape == (len(task.query.y), 3)


# ------------------------------------------------------------------------------------------------- the plain loop


def network(weights: dict[str, Tensor], examples: Examples, problem: EpisodeSpec) -> Tensor:
    """The base network as a textbook would write it, with torch's own batch norm."""
    h = examples.x
    if problem is IMAGES:
        for k in range(sum(name.startswith("conv") for name in weights)):
            h = conv2d(h, weights[f"conv{k}"], padding=1, stride=2)
            h = relu(batch_norm(h, None, None, weights[f"norm{k}_scale"], weights[f"norm{k}_shift"], training=True))
        h = h.mean((2, 3))
    else:
        for k in range(2):
            h = relu(linear(h, weights[f"layer{k}"], weights[f"layer{k}_bias"]))
    return linear(h, weights["head"], weights["head_bias"])


def judged(weights, examples: Examples, problem: EpisodeSpec) -> Tensor:
    outputs = network(weights, examples, problem)
    return cross_entropy(outputs, examples.y) if problem is IMAGES else mse_loss(outputs, examples.y)


def slopes(weights, moving: list[str], examples: Examples, problem: EpisodeSpec, second: bool) -> dict[str, Tensor]:
    loss = judged(weights, examples, problem)
    found = torch.autograd.grad(loss, [weights[k] for k in moving], create_graph=second, retain_graph=True)
    return dict(zip(moving, found, strict=True))


def plain(name: str, learner, weights: dict[str, Tensor], task: Episode) -> Tensor:
    """The meta-loss of one task as a loop of `torch.autograd.grad`; reptile's direction is tested by itself."""
    problem = IMAGES if learner.problem is IMAGES else VALUES
    base = [k for k in weights if not k.startswith((RUNNING, "rate.", "rule."))]
    moving = [k for k in base if k.startswith("head")] if name == "anil" else base
    fast = {k: weights[k] for k in base}
    if name == "lstm_meta":
        return plain_lstm_meta(learner, weights, fast, task, problem)
    if name == "learned_optimizer":
        return plain_learned_optimizer(learner, weights, fast, task, problem)
    for _ in range(learner.steps):
        gradient = slopes(fast, moving, task.support, problem, second=name != "fomaml")
        for k in moving:
            rate = weights[f"rate.{k}"] if name == "meta_sgd" else learner.rate
            step = gradient[k].detach() if name == "fomaml" else gradient[k]
            fast = {**fast, k: fast[k] - rate * step}
    return judged(fast, task.query, problem)


def vector(weights: dict[str, Tensor]) -> Tensor:
    return torch.cat([w.flatten() for w in weights.values()])


def unflattened(v: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = v.split([w.numel() for w in like.values()])
    return {k: part.view(w.shape) for (k, w), part in zip(like.items(), parts, strict=True)}


def squashed(x: Tensor) -> Tensor:
    rows = [
        [float(v.abs().log() / 10), float(v.sign())] if v.abs() >= torch.e**-10 else [-1.0, float(v * torch.e**10)]
        for v in x.detach()
    ]
    return torch.tensor(rows, dtype=torch.float64)


def cell(weights, name: str, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    gates, p = weights[f"{name}_gates"], x.shape[1]
    bias = weights[f"{name}_bias"]
    return torch.lstm_cell(x, state, gates[:p].T, gates[p:].T, bias, torch.zeros_like(bias))


def constant_slope(place: Tensor, like, task, problem) -> tuple[Tensor, Tensor]:
    at = {k: w.detach().requires_grad_() for k, w in unflattened(place, like).items()}
    loss = judged(at, task.support, problem)
    return vector(dict(zip(at, torch.autograd.grad(loss, list(at.values())), strict=True))), loss.detach()


def plain_lstm_meta(learner, weights, fast, task, problem) -> Tensor:
    place = vector(fast)
    m = len(place)
    state = (torch.zeros(m, learner.hidden).double(),) * 2
    forget, enter = torch.ones(m).double(), torch.zeros(m).double()
    for _ in range(learner.steps):
        gradient, loss = constant_slope(place, fast, task, problem)
        seen = torch.cat([squashed(gradient), squashed(loss[None]).expand(m, 2)], 1)
        state = cell(weights, "rule.lstm", seen, state)
        gates = []
        for gate, last in (("forget", forget), ("enter", enter)):
            entering = torch.stack([place, last], 1)
            z = torch.cat([state[0], entering], 1) @ weights[f"rule.{gate}"] + weights[f"rule.{gate}_bias"]
            gates.append(torch.sigmoid(z[:, 0]))
        forget, enter = gates
        place = forget * place - enter * gradient
    return judged(unflattened(place, fast), task.query, problem)


def plain_learned_optimizer(learner, weights, fast, task, problem) -> Tensor:
    place = vector(fast)
    zero = torch.zeros(len(place), learner.hidden).double()
    first, second, losses = (zero, zero), (zero, zero), []
    for _ in range(learner.steps):
        seen = squashed(constant_slope(place, fast, task, problem)[0])
        first = cell(weights, "rule.lstm0", seen, first)
        second = cell(weights, "rule.lstm1", first[0], second)
        step = second[0] @ weights["rule.output"] + seen @ weights["rule.direct"]
        place = place + learner.scale * step[:, 0]
        losses.append(judged(unflattened(place, fast), task.query, problem))
    return sum(losses) / len(losses)


GRADIENT_CASES = [
    pytest.param(name, problem, id=f"{name}-{problem.kind}") for name in BY_DESCENT for problem in (IMAGES, VALUES)
]


@pytest.mark.parametrize("backend", ["loop", "vmap", "chunk2", "mixed"])
@pytest.mark.parametrize(("name", "problem"), [c for c in GRADIENT_CASES if c.values[0] != "reptile"])
def test_the_meta_gradient_is_that_of_a_plain_loop(name, problem, backend):
    learner = built(name, problem, rate=0.1)
    weights, episode = fresh(learner), batch(problem)
    leaves = {k: w.clone().requires_grad_() for k, w in weights.items()}
    loss = sum(plain(name, learner, leaves, episode.task(i)) for i in range(3)) / 3
    oracle = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    found, gradients, _ = meta_gradient(learner, weights, episode, backend)
    assert abs(found - loss) <= 1e-10
    for (key, gradient), expected in zip(leaves.items(), oracle, strict=True):
        expected = torch.zeros_like(gradient) if expected is None else expected
        assert (gradients[key] - expected).abs().max() <= 1e-10 * max(1.0, float(expected.abs().max())), key


@pytest.mark.parametrize("backend", ["loop", "vmap", "chunk2", "mixed"])
@pytest.mark.parametrize("problem", [IMAGES, VALUES], ids=lambda p: p.kind)
def test_reptile_moves_towards_where_adam_led(problem, backend):
    learner = built("reptile", problem, rate=0.01, steps=3)
    weights, episode = fresh(learner), batch(problem)
    own = {k: w for k, w in weights.items() if not k.startswith(RUNNING)}
    total = {k: torch.zeros_like(w) for k, w in own.items()}
    squares = {k: [] for k in own}
    for i in range(3):
        task = episode.task(i)
        fast = {k: w.clone().requires_grad_() for k, w in own.items()}
        adam = torch.optim.Adam(fast.values(), lr=0.01, betas=(0.0, 0.999))
        for key, w in fast.items():  # what Adam has gathered so far, after so many steps that its bias is gone
            seen = weights[f"{RUNNING}square.{key}"]
            adam.state[w] = {"step": torch.tensor(1e6), "exp_avg": torch.zeros_like(w), "exp_avg_sq": seen.clone()}
        for _ in range(3):
            adam.zero_grad()
            judged(fast, task.support, problem).backward()
            for key, w in fast.items():
                squares[key].append(w.grad.square())
            adam.step()
        total = {k: v + (own[k] - fast[k].detach()) / 3 for k, v in total.items()}
    _, gradients, outcome = meta_gradient(learner, weights, episode, backend)
    for key, expected in total.items():
        assert (gradients[key] - expected).abs().max() <= 1e-10, key
        gathered = outcome.statistics[f"{RUNNING}square.{key}"].mean(0)
        assert (gathered - torch.stack(squares[key]).mean(0)).abs().max() <= 1e-10, key


@pytest.mark.parametrize("backend", ["loop", "vmap", "chunk2", "mixed"])
@pytest.mark.parametrize(("name", "problem"), [c for c in GRADIENT_CASES if c.values[0] != "reptile"])
def test_the_meta_gradient_is_that_of_finite_differences(name, problem, backend, monkeypatch):
    """Where a learner takes inner gradients for constants, those of the middle are replayed on both sides."""
    learner = built(name, problem, rate=0.1)
    weights, episode = fresh(learner), batch(problem)
    _, gradients, _ = meta_gradient(learner, weights, episode, backend)
    rewind = replay(name, learner, weights, episode, monkeypatch) if name in CUT else lambda: None
    direction = {
        k: torch.randn(w.shape, generator=torch.Generator().manual_seed(5)).double() for k, w in weights.items()
    }

    def loss(step: float) -> Tensor:
        rewind()
        moved = {k: w + step * direction[k] for k, w in weights.items()}
        return over_tasks(learner.loss, "loop" if name in CUT else backend)(moved, episode)[0].mean()

    slope = sum((gradient * direction[k]).sum() for k, gradient in gradients.items())
    width = 1e-6
    assert float((loss(width) - loss(-width)) / (2 * width)) == pytest.approx(float(slope), rel=1e-5, abs=1e-7)


CUT = {  # where each learner takes its inner gradients, which count as constants
    "fomaml": ("autometa.fewshot.descent", "slope"),
    "lstm_meta": ("autometa.fewshot.learners.lstm_meta", "grad_and_value"),
    "learned_optimizer": ("autometa.fewshot.learners.learned_optimizer", "grad"),
}


def replay(name, learner, weights, episode, monkeypatch) -> Callable[[], None]:
    """Records the inner gradients of one pass over the tasks; then they are given out again, whatever the weights.

    What is returned begins again with the first.
    """
    module = importlib.import_module(CUT[name][0])
    true, taken = getattr(module, CUT[name][1]), []

    direct = CUT[name][1] == "slope"  # gives gradients, the others make functions that do

    def kept(gradient):
        taken.append(gradient)
        return gradient

    def recording(function, *given):
        return kept(true(function, *given)) if direct else lambda *given: kept(true(function)(*given))

    monkeypatch.setattr(module, CUT[name][1], recording)
    over_tasks(learner.loss, "loop")(weights, episode)
    assert taken
    left = []
    monkeypatch.setattr(module, CUT[name][1], lambda *given: left.pop(0) if direct else lambda *given: left.pop(0))

    def rewind() -> None:
        left[:] = taken

    return rewind


# ------------------------------------------------------------------------------------------------- parts


def test_our_norm_is_batch_norm_and_its_running_form_is_batch_norms():
    h, mask = torch.randn(6, 4, 3, 3).double(), torch.ones(6).double()
    weights = {k: w.double() + 0.3 for k, w in norm_weights("norm", 4).items()}
    scale, shift = weights["norm_scale"], weights["norm_shift"]
    norms = Norms(seen={})
    found = normalised(weights, "norm", h, norms.moments(weights, "norm", h, mask))
    assert torch.allclose(found, batch_norm(h, None, None, scale, shift, training=True))
    assert torch.allclose(norms.seen[f"{RUNNING}norm_mean"], h.mean((0, 2, 3)))
    still = normalised(weights, "norm", h, Norms(running=True).moments(weights, "norm", h, mask))
    mean, variance = weights[f"{RUNNING}norm_mean"], weights[f"{RUNNING}norm_variance"]
    assert torch.allclose(still, batch_norm(h, mean, variance, scale, shift))


def test_pooling_before_the_scale_is_pooling_after_it_while_the_scale_is_positive():
    network = Conv4((1, 8, 8), 4)
    weights = {k: w.double() for k, w in network.initialise(torch.Generator().manual_seed(0)).items()}
    x, mask = torch.randn(5, 1, 8, 8).double(), torch.ones(5).double()
    h = conv2d(x, weights["conv0"], padding=1)
    h = batch_norm(h, None, None, weights["norm0_scale"], weights["norm0_shift"], training=True)
    expected = torch.nn.functional.max_pool2d(relu(h), 2)
    assert torch.allclose(network.block(weights, 0, x, mask, Norms()), expected)


def test_the_tuner_names_a_back_end_that_it_timed():
    learner = built("maml", VALUES)
    name, took = tune(learner, fresh(learner), batch(VALUES))
    assert took[name] == min(took.values())
    assert {"loop", "vmap", "mixed"} <= set(took)
    assert mixes(learner)


@pytest.mark.parametrize("stride", [1, 2])
def test_many_grey_images_are_convolved_by_their_patches_alike_to_second_derivatives(stride):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 1, 9, 7, generator=generator).double()
    kernel = torch.randn(4, 1, 3, 3, generator=generator).double().requires_grad_()

    def derived() -> list[torch.Tensor]:
        h = convolved(x, kernel, stride=stride)
        first = torch.autograd.grad(h.pow(3).sum(), kernel, create_graph=True)[0]
        return [h, first, torch.autograd.grad(first.square().sum(), kernel)[0]]

    plain = derived()
    with unbatched():
        found = derived()
    assert found[0].grad_fn.name() != plain[0].grad_fn.name()
    for one, other in zip(found, plain, strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


def test_a_back_end_that_is_not_there_is_refused_with_what_was_meant():
    assert [group_size(name, 6) for name in ("loop", "chunk4", "vmap")] == [1, 4, 6]
    with pytest.raises(InputError, match="Did you mean 'vmap'"):
        group_size("vmpa", 6)


def test_a_learner_of_somebody_elses_is_made_by_its_declared_types():
    @dataclass(frozen=True)
    class Mine:
        problem: EpisodeSpec
        depth: int = 2
        deep: bool = False
        kinds: ClassVar[tuple[str, ...]] = ("regression",)

    made = make(Mine, VALUES, {"depth": "3", "deep": "yes"})
    assert (made.depth, made.deep) == (3, True)
    with pytest.raises(InputError, match="'deep' is neither true nor false"):
        make(Mine, VALUES, {"deep": "deep"})


def test_mean_loss_is_torchs():
    logits, y = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    assert torch.allclose(mean_loss(IMAGES, logits, Examples(y, y, torch.ones(4))), cross_entropy(logits, y))
    values = torch.randn(4, 1)
    assert torch.allclose(mean_loss(VALUES, values, Examples(y, values + 2, torch.ones(4))), torch.tensor(4.0))


def test_options_are_read_from_text_and_all_that_is_wrong_is_told():
    learner = make(LEARNERS["maml"], IMAGES, {"steps": "4", "rate": "0.5", "halving": "pool"})
    assert (learner.steps, learner.rate, learner.halving) == (4, 0.5, "pool")
    assert replace(learner, steps=1).rate == 0.5
    with pytest.raises(InputError) as caught:
        make(LEARNERS["protonet"], VALUES, {"widht": "3", "width": "x", "halving": "both"})
    text = str(caught.value)
    assert "does not do regression" in text
    assert "Did you mean 'width'?" in text
    assert "not a whole number" in text
    assert "none of pool, stride" in text
