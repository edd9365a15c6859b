"""The tuned numbers of this room: what each means, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StudiesOptions:
    """Constants of learning a space from past studies; `OPTIONS` are the ones in use."""

    # A range of positive values is taken as logarithmic when its end is more than this many times its start, where a
    # study did not keep its distributions. Judgement, not measured.
    log_ratio: float = 100.0

    # Average results that are added to those of every past configuration, so that one that was tried once is not taken
    # for the best of all. Judgement, not measured.
    average_results: int = 2

    # What happens by chance less often than this is believed: that a number decides when another parameter is active,
    # that a parameter which was active now and then is not asked for any more. The usual level of a test.
    chance: float = 0.05

    # Past studies are read as functions where less than this share of their trials has a configuration that another
    # one tried as well. Judgement: a table of which half is known is completed well (warm_start.py --holes).
    shared_share: float = 0.5
    # Configurations from which the conditions of a space are learned, and more of them from studies that came since.
    # Judgement: the time of an opening.
    condition_configs: int = 500
    added_configs: int = 100
    # Studies each of which has a function of its own among the experts, an even selection where there are more, and
    # studies that are read at once. Judgement: the time of an answer.
    table_studies: int = 300
    # New or changed studies, as a share of those known, that are added to what is known before it is learned anew; and
    # studies from which on learning takes seconds, so that it is said. Judgement.
    added_share: float = 0.1
    many_studies: int = 200


OPTIONS = StudiesOptions()
