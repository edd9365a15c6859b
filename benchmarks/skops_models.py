"""Whether the models of every family can be kept with skops rather than pickled.

    pip install skops
    python benchmarks/skops_models.py

For each family a default model of a table with numbers, categories and text: whether `skops.io` writes it, which types
it would have a reader trust beyond its own, whether the copy predicts the same, and the sizes. `docs/decisions.md` has
the outcome.
"""

from __future__ import annotations

import pickle
import sys
import time

import numpy as np
import pandas as pd
from skops.io import dumps, get_untrusted_types, loads

from autometa.evaluation import fit_model
from autometa.families import FAMILIES, cash_space
from autometa.task import Task, make_task


def table() -> Task:
    """120 rows with numbers, a gap, a category, a text and two classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3)).round(3)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame.loc[::9, "b"] = np.nan
    frame["colour"] = np.where(x[:, 0] > 0, "red", "blue")
    words = np.array(["one small word", "another small word", "and yet another of them", "words without an end"])
    frame["note"] = [" ".join(rng.choice(words, 5)) + f" {k}" for k in range(120)]
    frame["y"] = np.where(x[:, 0] + 0.5 * rng.normal(size=120) > 0, "yes", "no")
    return make_task(frame, target="y")


def main() -> None:
    """One line for each family."""
    task = table()
    for name in sys.argv[1:] or FAMILIES:
        try:
            model = fit_model(task, cash_space(task.kind, [name]).default, np.arange(task.n), seed=0)
            expected, pickled = model.predict_proba(task.X), len(pickle.dumps(model, protocol=5))
            start = time.process_time()
            content = dumps(model)
            unknown = get_untrusted_types(data=content)
            again = loads(content, trusted=unknown).predict_proba(task.X)
            seconds = time.process_time() - start
            same = "same" if np.array_equal(expected, again) else "OTHER ANSWERS"
            sizes = f"{pickled:>9,} B pickled, {len(content):>9,} B"
            print(f"{name:24s} {same} {sizes} {seconds:.2f} s {', '.join(unknown)}")
        except Exception as error:
            print(f"{name:24s} {type(error).__name__}: {str(error)[:140]!r}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
