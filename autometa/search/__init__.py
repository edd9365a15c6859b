"""The search on one task: budget, isolation, journal, resume, ensemble.

settings   what was asked, and how a search reports
plan       which families, which splits, how many trials at once
budget     what may be spent; `clock` says how much of it is for what
run        its folder: everything it knows, on disk, at every moment
recall     what the memory has to do with it
trials     ask, try, journal, tell
finish     from evaluated trials to the model; `ensemble` says with which weights
model      the final model, and `signature` whether this user wrote it
result     what was found, in which order, and what the warm start bought
search     all of it, as a walk
options    the tuned numbers
"""

from autometa.search.model import Model, load_model
from autometa.search.plan import SearchPlan, jobs_on
from autometa.search.result import Result, WarmStart, failed, leaderboard, open_run
from autometa.search.run import Run, default_folder
from autometa.search.search import resume, search
from autometa.search.settings import Progress, Settings, Silent, TrialRow

__all__ = [
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
    "resume",
    "search",
]
