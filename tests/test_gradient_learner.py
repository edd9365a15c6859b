"""The gradient inner loop of `benchmarks/gradient_learner.py`, to be compared with the surrogate's closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autometa.space import SearchSpace, real
from autometa.transfer.kernels import Layout
from autometa.transfer.scale import warped

FLAT = SearchSpace.of(a=real(0.0, 1.0, 0.5), b=real(1e-3, 1.0, 0.1, log=True))


def test_the_gradient_inner_loop_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "benchmarks")
    from gradient_learner import NETWORK, adapt, train_gradient, value

    rng = np.random.default_rng(0)
    x, mask = FLAT.encode_all([FLAT.sample(rng) for _ in range(40)])
    labels = warped(-((x[:, 0] - 0.8 - rng.normal(0, 0.03, (12, 1))) ** 2))
    learner = train_gradient(Layout(FLAT), x, mask, labels, inner=1, steps=2)
    weights = {name: w.double() for name, w in learner.weights.items()}
    inputs = torch.tensor(Layout(FLAT).inputs(x, mask))
    z = torch.tensor(labels)
    same = adapt(weights, inputs[:5], z[0, :5], 0, second_order=True)
    assert all(torch.equal(same[name], weights[name]) for name in NETWORK)

    def outer(scale: Any) -> Any:
        own = {**weights, "second": weights["second"] * scale}
        adapted = adapt(own, inputs[:5], z[0, :5], 1, second_order=True)
        return ((value(adapted, inputs[5:15]) - z[0, 5:15]) ** 2).mean()

    one = torch.tensor(1.0, dtype=torch.float64)
    exact = torch.func.grad(outer)(one)
    numeric = (outer(one + 1e-5) - outer(one - 1e-5)) / 2e-5
    assert float(exact) == pytest.approx(float(numeric), rel=1e-6)

    each = lambda z_of_task: value(adapt(weights, inputs[:5], z_of_task[:5], 1, second_order=True), inputs[5:9])  # noqa: E731
    together = torch.func.vmap(each)(z[:3])
    np.testing.assert_allclose(together.numpy(), np.stack([each(z[i]).detach().numpy() for i in range(3)]), atol=1e-10)
