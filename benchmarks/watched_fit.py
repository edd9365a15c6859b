"""One fit in a process of its own, for `benchmarks/speed.py trials`: when its first trial ended, and what trials cost.

    python watched_fit.py TABLE FOLDER SECONDS

Prints one line of JSON; all times are seconds, `first_trial` counted from the birth of this process.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import psutil


def main() -> None:
    """Fits with one job, so that trials follow one another."""
    born = psutil.Process().create_time()
    from autometa.estimator import fit_file
    from autometa.search import Settings, Silent

    class Watch(Silent):
        first_trial: float | None = None

        def trial_finished(self, trial: Any, incumbent: Any, elapsed: float) -> None:
            if self.first_trial is None:
                self.first_trial = time.time() - born

    data, folder, seconds = sys.argv[1:]
    watch = Watch()
    settings = Settings(seconds=float(seconds), jobs=1, store=f"{folder}/store.db")
    trials = fit_file(data, target="target", settings=settings, run=Path(folder, "run"), progress=watch).trials
    own = [t.evaluation.fit_seconds + t.evaluation.predict_seconds for t in trials]
    inside = [t.finished - t.started - seconds for t, seconds in zip(trials, own, strict=True)]
    between = [later.started - earlier.finished for earlier, later in itertools.pairwise(trials)]
    facts = {
        "first_trial": watch.first_trial,
        "trials": len(trials),
        "overhead": (trials[-1].finished - trials[0].started - sum(own)) / len(trials),
        "inside": statistics.median(inside),
        "between": statistics.median(between) if between else None,
    }
    print(json.dumps(facts))


if __name__ == "__main__":  # the processes of trials import this file too
    main()
