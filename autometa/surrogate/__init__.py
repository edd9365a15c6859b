"""What past tasks teach about the configurations of a space, and how far to trust it on a new task.

Given the evaluations of a task so far, a `Surrogate` forecasts the score of any configuration. It is a Gaussian process
whose prior mean and features are meta-learned over past tasks (`train`), so that adapting it to a task is a closed form
and costs milliseconds. `Guard` weighs it against the past tasks themselves and against a process that knows of no past,
by how well each foresaw this task's results, and says what to try next.

Laws: predictions do not depend on the order of the evaluations, nor on the unit of the score; nothing is imputed for
inactive parameters; asking needs NumPy and SciPy only, training imports torch. To add an expert to the guard, write a
`Process` (see `experts`).

Letters:  m evaluations · q points asked about · d encoded dimensions · t past tasks · e prior means · k features.
"""

from __future__ import annotations

from autometa.surrogate.guard import Guard, Prediction, Suggestion
from autometa.surrogate.history import History
from autometa.surrogate.surrogate import Posterior, Surrogate
from autometa.surrogate.training import judged, train

__all__ = ["Guard", "History", "Posterior", "Prediction", "Suggestion", "Surrogate", "judged", "train"]
