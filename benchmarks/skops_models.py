"""Whether the models of every family can be kept with skops rather than pickled.

    pip install skops
    python benchmarks/skops_models.py
    python benchmarks/skops_models.py --damage lightgbm catboost xgboost

For each family a default model of a table with numbers, categories and text: whether `skops.io` writes it, which types
it would have a reader trust beyond its own, whether the copy predicts the same, and the sizes. `docs/decisions.md` has
the outcome. With ``--damage`` 60 files whose content was changed here and there are read and asked, each in a fork: how
many ended it by a signal.
"""

from __future__ import annotations

import io
import os
import pickle
import re
import signal
import sys
import time
import zipfile

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


def changed(content: bytes, rng: np.random.Generator) -> bytes:
    """The file with some numbers in its largest parts exchanged, in an archive that is whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as copy:
        sizes = {info.filename: info.file_size for info in source.infolist()}
        for name in sizes:
            part = bytearray(source.read(name))
            if sizes[name] > 2000:
                digits = [match.start() for match in re.finditer(rb"[0-9]", part)] or list(range(len(part)))
                for place in rng.choice(digits, 8):
                    part[int(place)] = ord("0") + int(rng.integers(10))
            copy.writestr(name, bytes(part))
    return out.getvalue()


def signals(content: bytes, trusted: list[str], task: Task, times: int = 60) -> dict[str, int]:
    """How reading and asking changed files ended: by which signal, with an error, or well."""
    ends: dict[str, int] = {}
    for seed in range(times):
        process = os.fork()
        if process == 0:
            signal.alarm(60)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                loads(changed(content, np.random.default_rng(seed)), trusted=trusted).predict_proba(task.X)
            except Exception:
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        end = {0: "well", 1: "an error"}.get(code) or signal.Signals(-code).name
        ends[end] = ends.get(end, 0) + 1
    return ends


def main() -> None:
    """One line for each family."""
    task, damage = table(), "--damage" in sys.argv
    for name in [word for word in sys.argv[1:] if word != "--damage"] or FAMILIES:
        try:
            model = fit_model(task, cash_space(task.kind, [name]).default, np.arange(task.n), seed=0)
            expected, pickled = model.predict_proba(task.X), len(pickle.dumps(model, protocol=5))
            start = time.process_time()
            content = dumps(model)
            unknown = get_untrusted_types(data=content)
            if damage:
                print(name, signals(content, unknown, task), flush=True)
                continue
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
