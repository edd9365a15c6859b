"""What a finished model is worth on a labelled table, and two runs beside each other.

`judge` scores a model on rows that nobody has learned from: every metric with its interval, the leaderboard on them,
and whether it differs from what was promised out of fold. `compare` takes two runs, on the rows that both were judged
by, or on a labelled table.

    labelled   a labelled table as a model reads it, and every metric of its answers
    judge      one model on it
    compare    two runs
    records    what is said of them

Laws: intervals are bootstraps of the rows, whole groups where the runs have groups; two models are compared row by row,
so that easy and hard rows cancel; runs on different tables are not compared.
"""

from autometa.judging.compare import compare
from autometa.judging.judge import judge
from autometa.judging.records import Judged, Judgement, Promise, Scored, Side, Versus

__all__ = ["Judged", "Judgement", "Promise", "Scored", "Side", "Versus", "compare", "judge"]
