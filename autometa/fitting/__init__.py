"""From a table to a searched run: what the command line and the estimators have in common.

`fit_file` reads a file, `fit_table` takes a table that is in memory; both begin to load what trials need while they
read, settle the metric, and search. `resume_run` goes on with what a kill left.

fit           one table, one target; searched what follows a search
targets       one table, several targets
validation    a table of its own that judges models
listeners     who is told of every finished search
"""

from autometa.fitting.fit import fit_file, fit_table
from autometa.fitting.searched import explained, resume_run
from autometa.fitting.targets import Results, fit_targets, open_targets, resume_targets
from autometa.fitting.validation import split_twice

__all__ = [
    "Results",
    "explained",
    "fit_file",
    "fit_table",
    "fit_targets",
    "open_targets",
    "resume_run",
    "resume_targets",
    "split_twice",
]
