"""Heads on embeddings: what tells classes apart once something else has made a vector of each example.

    means         the nearest class mean (SimpleShot), and soft k-means that lets unlabelled examples move the means
    ridge         least squares on the classes' indicators, in closed form (R2D2)
    logistic      multinomial logistic regression by a few steps, each in closed form
    mahalanobis   one shrunken covariance for each class (Simple CNAPs)

Each is a pair of functions, one that learns from labelled examples and one that answers. Like the set kernel's they
take the module whose arrays they are given, NumPy or torch as `xp`, so that the families of a search and the episodic
learners, which differentiate and map them, share one mathematics. An example counts as much as its `mask` says.

Where there are fewer examples than numbers, systems are solved as large as there are examples.

Letters:  n examples · q others · p numbers of an example · c classes · o outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

EPSILON = 1e-12
ABSENT = -1e4  # logit of a class without examples; finite, so that no gradient becomes NaN


def unit(xp: Any, x: Any) -> Any:  # (n, p)
    """Vectors of length 1; one of zeros stays one."""
    return x / xp.sqrt((x * x).sum(-1) + EPSILON)[:, None]


def means(xp: Any, x: Any, y: Any, mask: Any) -> tuple[Any, Any]:  # (n, p), (n, c), (n,) -> (c, p), (c,)
    """The mean of each class, and how much its examples weigh; `y` has a one for each example's class, or shares."""
    shares = y * mask[:, None]
    counts = shares.sum(0)
    return shares.T @ x / xp.clip(counts, 1e-8, None)[:, None], counts


def squared_distances(a: Any, b: Any) -> Any:  # (q, p), (c, p) -> (q, c)
    """Squared Euclidean distances, without the (q, c, p) of differences."""
    return (a * a).sum(-1)[:, None] + (b * b).sum(-1) - 2 * a @ b.T


def there(xp: Any, logits: Any, counts: Any) -> Any:  # (q, c), (c,)
    """Logits, and `ABSENT` for a class without examples."""
    return xp.where(counts > 0, logits, ABSENT)


def softmax(xp: Any, logits: Any) -> Any:  # (q, c)
    """Shares that sum to one."""
    e = xp.exp(logits - xp.amax(logits, -1)[:, None])
    return e / e.sum(-1)[:, None]


def refined(
    xp: Any, x: Any, y: Any, mask: Any, others: Any, weights: Any, sharpness: Any, steps: int
) -> tuple[Any, Any]:  # (c, p), (c,)
    """Class means that unlabelled examples have moved: soft k-means, begun at the means of the labelled ones.

    Source:
        Ren et al., 2018, "Meta-learning for semi-supervised few-shot classification", section 3.1.1; of one step there.
    """
    centres, counts = means(xp, x, y, mask)
    both, weighs = xp.concatenate([x, others]), xp.concatenate([mask, weights])
    for _ in range(steps):
        shares = softmax(xp, there(xp, -sharpness * squared_distances(others, centres), counts))
        centres, _ = means(xp, both, xp.concatenate([y, shares]), weighs)
    return centres, counts


def with_one(xp: Any, x: Any) -> Any:  # (n, p) -> (n, p + 1)
    """Vectors with a 1 at their end, for the intercept."""
    return xp.concatenate([x, 1 + 0 * x[:, :1]], -1)


def ridge(xp: Any, x: Any, y: Any, mask: Any, penalty: Any) -> Any:  # (n, p), (n, o), (n,), () -> (p + 1, o)
    """Coefficients of ridge regression, the intercept's last and penalised like the others'.

    Source:
        Bertinetto et al., 2019, "Meta-learning with differentiable closed-form solvers", equations 4 and 6.
    """
    x = with_one(xp, x)
    n, p = x.shape
    if p <= n:
        return xp.linalg.solve(x.T @ (x * mask[:, None]) + xp.diag(penalty + 0 * x[0]), x.T @ (y * mask[:, None]))
    return x.T @ xp.linalg.solve(mask[:, None] * (x @ x.T) + xp.diag(penalty + 0 * mask), y * mask[:, None])


def logistic(xp: Any, x: Any, y: Any, mask: Any, penalty: Any, steps: int) -> Any:  # -> (p + 1, c)
    """Coefficients of multinomial logistic regression after so many steps from zero, the intercept's last.

    Minimises the summed cross-entropy and half the penalty times the squared coefficients, the intercept's too. Half
    the examples' products bound the curvature wherever the coefficients are, so that no step can raise the loss, and
    one matrix is inverted for all of them.

    Source:
        Böhning, 1992, "Multinomial logistic regression algorithm".
    """
    x = with_one(xp, x)
    n, p = x.shape
    if p <= n:
        inverse = xp.linalg.inv(x.T @ (x * mask[:, None]) / 2 + xp.diag(penalty + 0 * x[0]))
        coefficients = 0 * (x.T @ y)
        for _ in range(steps):
            wrong = (softmax(xp, x @ coefficients) - y) * mask[:, None]
            coefficients = coefficients - inverse @ (x.T @ wrong + penalty * coefficients)
        return coefficients
    gram = x @ x.T
    inverse = xp.linalg.inv(mask[:, None] * gram / 2 + xp.diag(penalty + 0 * mask))
    dual = 0 * y  # coefficients are x.T @ dual
    for _ in range(steps):
        wrong = (softmax(xp, gram @ dual) - y) * mask[:, None]
        dual = dual - inverse @ (wrong + penalty * dual)
    return x.T @ dual


def linear(xp: Any, x: Any, coefficients: Any) -> Any:  # (q, p), (p + 1, o) -> (q, o)
    """What coefficients, the intercept's last, make of examples."""
    return with_one(xp, x) @ coefficients


class Gaussians(NamedTuple):
    """A mean and a shrunken covariance for each class: what `mahalanobis` takes."""

    centres: Any  # (c, p)
    counts: Any  # (c,)
    sphere: Any  # () variance in every direction
    spread: Any  # (c, m, p) rows beyond the sphere; m is 0 where `inner` is the inverse covariance
    inner: Any  # (c, m, m) what they take off the squared distances; (c, p, p) the inverse covariance


def gaussians(xp: Any, x: Any, y: Any, mask: Any, shrinkage: Any) -> Gaussians:
    """A Gaussian for each class, whose covariance is drawn towards that of all examples and towards a sphere.

    With S_k the covariance of the n_k examples of class k, S that of all:

        Q_k = n_k / (n_k + 1) S_k + 1 / (n_k + 1) S + shrinkage tr(S) / p I

    Source:
        Bateni et al., 2020, "Improved few-shot visual classification" (Simple CNAPs), equations 2 and 3, whose sphere
        is of variance 1, for the features of their one network.
    """
    n, p = x.shape
    centres, counts = means(xp, x, y, mask)
    total = mask.sum()
    apart = x - mask @ x / xp.clip(total, 1, None)  # (n, p)
    over = mask / xp.clip(total - 1, 1, None)  # (n,) an example's weight in S
    sphere = shrinkage * (over @ (apart * apart)).sum() / p + EPSILON
    drawn = counts / (counts + 1)  # (c,)
    own = y.T * mask * (drawn / xp.clip(counts - 1, 1, None))[:, None]  # (c, n)
    shared = (1 - drawn)[:, None] * over  # (c, n)
    within = x - centres[:, None]  # (c, n, p)
    if p <= 2 * n:
        covariance = xp.swapaxes(within * own[..., None], 1, 2) @ within
        covariance = covariance + (1 - drawn)[:, None, None] * (apart.T @ (apart * over[:, None]))
        inverse = xp.linalg.inv(covariance + xp.diag(sphere + 0 * x[0]))
        return Gaussians(centres, counts, sphere, within[:, :0], inverse)
    rows = xp.concatenate([within, apart + 0 * within], 1)  # (c, 2n, p)
    weights = xp.concatenate([own, shared], 1)[..., None]  # (c, 2n, 1)
    system = weights * (rows @ xp.swapaxes(rows, 1, 2)) + xp.diag(sphere + 0 * xp.concatenate([mask, mask]))
    inner = xp.linalg.solve(system, weights * xp.diag(1 + 0 * xp.concatenate([mask, mask])))
    return Gaussians(centres, counts, sphere, rows, inner)


def mahalanobis(xp: Any, found: Gaussians, x: Any) -> Any:  # (q, p) -> (q, c)
    """Squared distances to the classes' means, each by its own covariance."""
    apart = x - found.centres[:, None]  # (c, q, p)
    if not found.spread.shape[1]:
        return ((apart @ found.inner) * apart).sum(-1).T
    along = apart @ xp.swapaxes(found.spread, 1, 2)  # (c, q, m)
    return (((apart * apart).sum(-1) - ((along @ found.inner) * along).sum(-1)) / found.sphere).T
