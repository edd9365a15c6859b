"""The search on one task: budget, isolation, journal, resume, ensemble.

settings   what was asked, and how a search reports; `presets` are several options under one word
plan       which families, which splits, how many trials at once
budget     what may be spent; `clock` says how much of it is for what
run        its folder: everything it knows, on disk, at every moment
journal    its journal: numbered entries, chained by checksums
records    its files that hold data, checked where they are read
repair     what of it is whole, and what can be saved; `salvage` does it for a journal
adoption   one of an older version becomes one of this
recall     what the memory has to do with it
trials     ask, try, journal, tell
finish     from evaluated trials to the model; `ensemble` says with which weights
model      the final model, made of `members`, and `signature` whether this user wrote it, by their `keys`
result     what was found, in which order, and what the warm start bought
search     all of it, as a walk
several    a folder that holds the runs of several targets of one table, whose models `targets` asks together
options    the tuned numbers
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autometa.late import late

if TYPE_CHECKING:
    from autometa.search.model import Model, load_model
    from autometa.search.plan import SearchPlan, jobs_on
    from autometa.search.presets import PRESETS, with_preset
    from autometa.search.recall import remember_run
    from autometa.search.repair import repair_run, verify_run
    from autometa.search.result import Ends, Result, WarmStart, failed, leaderboard, open_run
    from autometa.search.run import Run, default_folder
    from autometa.search.search import prepare, resume, search
    from autometa.search.settings import Progress, Settings, Silent, TrialRow
    from autometa.search.several import parts_of_run
    from autometa.search.signature import what_runs
    from autometa.search.targets import JointModel, load_models

__all__ = [
    "PRESETS",
    "Ends",
    "JointModel",
    "Model",
    "Progress",
    "Result",
    "Run",
    "SearchPlan",
    "Settings",
    "Silent",
    "TrialRow",
    "WarmStart",
    "default_folder",
    "failed",
    "jobs_on",
    "leaderboard",
    "load_model",
    "load_models",
    "open_run",
    "parts_of_run",
    "prepare",
    "remember_run",
    "repair_run",
    "resume",
    "search",
    "verify_run",
    "what_runs",
    "with_preset",
]

_HOMES = {
    "PRESETS": "presets",
    "Ends": "result",
    "JointModel": "targets",
    "Model": "model",
    "Progress": "settings",
    "Result": "result",
    "Run": "run",
    "SearchPlan": "plan",
    "Settings": "settings",
    "Silent": "settings",
    "TrialRow": "settings",
    "WarmStart": "result",
    "default_folder": "run",
    "failed": "result",
    "jobs_on": "plan",
    "leaderboard": "result",
    "load_model": "model",
    "load_models": "targets",
    "open_run": "result",
    "parts_of_run": "several",
    "prepare": "search",
    "remember_run": "recall",
    "repair_run": "repair",
    "resume": "search",
    "search": "search",
    "verify_run": "repair",
    "what_runs": "signature",
    "with_preset": "presets",
}


__getattr__ = late(__name__, _HOMES)  # who loads a model needs no search


class _SearchRoom(ModuleType):
    """This package, in which `search` is the function, though a file is called so too."""

    def __setattr__(self, name: str, value: Any) -> None:
        """What Python does with a file once it is imported."""
        super().__setattr__(name, value.search if name == "search" and isinstance(value, ModuleType) else value)


sys.modules[__name__].__class__ = _SearchRoom
