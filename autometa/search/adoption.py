"""A run of an older version becomes one of this: data only, numbered, with checksums, signed.

Before format 2 the table of a run was in a pickle, its fold models were not signed, its journal was not numbered, and
nothing had a checksum. What could hold code and was not signed is signed only where the run is trusted; else it is left
out, and fitted again if need be.

Law: killed at any moment, the run is one of the older version still, or one of this: ``run.json`` comes last.
"""

from __future__ import annotations

from typing import Any

from autometa.files import digest
from autometa.search.journal import Journal
from autometa.search.run import EVALUATION, FILES, FORMAT, Run

SET_STUDY_ATTRIBUTE, SET_TRIAL_ATTRIBUTE = 2, 8  # of Optuna's journal


def adopt(run: Run) -> None:
    """Rewrites a run as this version would have written it; for whoever holds its lock.

    Raises:
        RunError: It is damaged, or neither trusted nor signed by this user.
    """
    if run.format == FORMAT:
        return
    path = run.folder / "journal.log"
    task, splits = run.task, run.splits
    study = run.study()
    run.trials(study)  # can be read
    number_of = {trial._trial_id: trial.number for trial in study.get_trials(deepcopy=False)}
    entries: list[dict[str, Any]] = []
    for entry in Journal(path, numbered=False).read_logs(0):
        if EVALUATION in entry.get("user_attr", {}):  # before the trial is told, after which Optuna takes nothing more
            files = run.files_of(number_of[entry["trial_id"]], sign_models=run.trusted)
            entries.append({**entry, "op_code": SET_TRIAL_ATTRIBUTE, "user_attr": {FILES: files}})
        entries.append(entry)
    proposed = run.folder / "recommendations.json"
    if proposed.exists():
        kept = {"study_id": study._study_id, "user_attr": {FILES: {proposed.name: digest(proposed)}}}
        entries.append({"op_code": SET_STUDY_ATTRIBUTE, "worker_id": "adoption", **kept})
    task.save(run.folder / "task")
    splits.save(run.folder / "splits.npz")
    Journal.rewrite(path, entries)
    (run.folder / "task" / "task.pickle").unlink(missing_ok=True)
    run.write_head()
