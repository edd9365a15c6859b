"""What reading a folder of somebody else's will run, told before it is read."""

import sys
from pathlib import Path


def say_what_runs(run: Path, trust: bool, *, everything: bool = False) -> None:
    """Tells whoever trusts a run what reading it will run: its model and its table, or every model in it."""
    if not trust:
        return
    from autometa.search import what_runs

    paths = [run] if run.is_file() else [run / "model.pkl", run / "task" / "task.pickle"]
    paths += sorted((run / "models").glob("*.pkl")) if everything else []
    for path in paths:
        if path.exists():
            print(f"autometa: {what_runs(path)}", file=sys.stderr)
