"""One of many workers at one study: begins with what past studies found, and remembers this one.

    python worker.py --storage grpc://head:13000 --store postgresql://head/team --trials 20 --workers 4

Start as many as you like, on as many machines, once `serve.py` has made the study. `--store` is AutoMeta's memory,
another database than Optuna's storage (they may be on one server); a file of SQLite will do on one machine, and not on
a network drive.
"""

from __future__ import annotations

import argparse

import optuna
from objective import SPACE, STUDY, objective
from serve import opened

from autometa import WarmStartSampler, remember


def main() -> None:
    """Parses and optimises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--trials", type=int, default=20, help="of the whole study, by all workers together")
    parser.add_argument("--workers", type=int, default=1, help="how many there are")
    asked = parser.parse_args()
    sampler = WarmStartSampler(asked.store, space=SPACE, jobs=asked.workers)
    study = optuna.load_study(study_name=STUDY, storage=opened(asked.storage), sampler=sampler)
    enough = optuna.study.MaxTrialsCallback(asked.trials, states=None)
    study.optimize(objective, callbacks=[remember(asked.store, space=SPACE), enough])


if __name__ == "__main__":
    main()
