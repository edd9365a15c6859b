"""The search on one task: budget, isolation, journal, resume, ensemble.

settings   what was asked, and how a search reports
budget     what it may spend
run        its folder: everything it knows, on disk, at every moment
search     propose, try, journal, finish
result     what was found, in which order, and what the warm start bought
ensemble   who answers together
model      the final model, sealed
"""

from autometa.search.model import Model, load_model
from autometa.search.result import Result, WarmStart, failed, leaderboard, open_run
from autometa.search.run import Run, default_folder
from autometa.search.search import jobs_on, resume, search
from autometa.search.settings import Progress, Settings, Silent, TrialRow

__all__ = [
    "Model",
    "Progress",
    "Result",
    "Run",
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
