"""With a trial budget a search repeats exactly: in another process, whatever the hash seed and the threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SEARCH = textwrap.dedent("""
    import hashlib, json, sys
    from pathlib import Path
    from sklearn.datasets import load_wine
    from autometa.search import Settings, load_model, search
    from autometa.task import make_task

    X, y = load_wine(return_X_y=True, as_frame=True)
    X["colour"] = ["dark" if value > 5 else "pale" for value in X["color_intensity"]]
    task = make_task(X, y=[("red", "white", "rosé")[k] for k in y], name="wine")
    folder = Path(sys.argv[1])
    # Four trials are the memory's, the others the guided search's: what draws and computes is asked both ways.
    settings = Settings(trials=6, families=("linear", "knn"), store=str(folder / "store.db"), seed=3)
    result = search(task, settings, folder / "run")
    print(json.dumps({
        "configs": [trial.evaluation.config for trial in result.trials],
        "scores": [trial.evaluation.scores for trial in result.trials],
        "origins": [trial.origin for trial in result.trials],
        "members": result.members,
        "oof": hashlib.sha256(result.oof.tobytes()).hexdigest(),
        "answers": hashlib.sha256(load_model(folder / "run").predict_proba(X).tobytes()).hexdigest(),
    }))
""")


def searched(folder: Path, **environment: str) -> dict[str, object]:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, str(folder)],
        capture_output=True,
        text=True,
        timeout=3600,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.long
def test_the_same_seed_repeats_in_every_process_whatever_the_hash_seed_and_the_threads(tmp_path):
    first = searched(tmp_path / "first", PYTHONHASHSEED="0", OMP_NUM_THREADS="1")
    other = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    second = searched(tmp_path / "second", PYTHONHASHSEED="4242", **other)
    assert {"surrogate"} < set(first["origins"])  # the memory's, and the guided search's
    for said in first:
        assert first[said] == second[said], said
