"""Every tuned number of the room, with the origin of its value.

The process that talks to OpenML takes `OPTIONS` as they stand; what a caller varies, the deadline of a call, is an
argument of `OpenML`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpenMLOptions:
    """Patience with a server, and how much is asked of it at once.

    ``benchmarks/openml_door.py`` measures what all of them together are worth: of 40 tasks from a server of which every
    fifth answer is an error, 40 come right. Where nothing else is said, a value is judgement and was not varied.
    """

    # Seconds that one call may take by default, waiting for other processes included. Judgement: five times the 23 s
    # that 40 tasks take from a healthy loopback server (benchmarks/openml_door.py), for one of them over a slow line.
    deadline: float = 120.0
    # Seconds that a server may stay silent within one request. Judgement: the client itself sets no limit.
    stall: float = 20.0
    # Attempts at one request. With the pauses below they add up to 19 s of waiting, so that a server which is busy for
    # a moment is outlived, and one that only fails is given up well within the deadline.
    tries: int = 12
    # Attempts at a server that is not there at all: it rarely comes back within seconds. Judgement.
    refused_tries: int = 3
    # Seconds before the second attempt, the factor by which each pause is longer than the last, and the longest.
    first_pause: float = 0.1
    pause_growth: float = 1.6
    longest_pause: float = 4.0
    # Attempts at a whole task or dataset that arrives damaged, the first half of them as parquet and the rest as ARFF,
    # whose copy has a checksum. Judgement: with every tenth answer cut short, 40 of 40 tasks came
    # (benchmarks/openml_door.py).
    attempts: int = 6
    # Seconds after which a client process without work ends by itself. Importing the client takes two seconds, which
    # the next call within this time need not pay again. Judgement.
    idle: float = 60.0
    # Client processes without work that are kept for the next calls; more are ended. Judgement.
    spare: int = 2
    # Pages of runs that are searched for the name of a flow, 10,000 runs each: a million runs of a task. Judgement.
    pages: int = 100
    # Numbers of runs or setups named in one address: the client sends them in the URL, which servers limit to a few
    # thousand characters.
    numbers_at_once: int = 100


OPTIONS = OpenMLOptions()
