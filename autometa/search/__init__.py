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
model      the final model, and `signature` whether this user wrote it, by their `keys`
result     what was found, in which order, and what the warm start bought
search     all of it, as a walk
options    the tuned numbers
"""

from autometa.search.model import Model, load_model
from autometa.search.plan import SearchPlan, jobs_on
from autometa.search.presets import PRESETS, with_preset
from autometa.search.recall import remember_run
from autometa.search.repair import repair_run, verify_run
from autometa.search.result import Ends, Result, WarmStart, failed, leaderboard, open_run
from autometa.search.run import Run, default_folder
from autometa.search.search import resume, search
from autometa.search.settings import Progress, Settings, Silent, TrialRow
from autometa.search.signature import what_runs

__all__ = [
    "PRESETS",
    "Ends",
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
    "open_run",
    "remember_run",
    "repair_run",
    "resume",
    "search",
    "verify_run",
    "what_runs",
    "with_preset",
]
