"""The tuned numbers of this room: what each means, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """Constants of the initial design; `OPTIONS` are the ones in use.

    See Also:
        `autometa.WarmStartSampler`.

    Example:
        >>> OPTIONS.guided_initial, OPTIONS.several_initial
        (3, 10)
    """

    # Trials that are recommended before a guided search: three diverse ones let it see that the past misleads, and from
    # then on it is ahead. On 60 test tasks of published tables its regret after 10 trials is .005, that of the
    # portfolio .011 (benchmarks/surrogate.py).
    guided_initial: int = 3

    # And before the cold sampler, which knows nothing of the past. Judgement, not measured.
    unguided_initial: int = 20

    # And in a study of several objectives, which wants a front: benchmarks/several_objectives.py.
    several_initial: int = 10

    # Of the normalised score: where less than this is expected of a recommendation, the search takes over early; but
    # so many trials are recommended in any case. Judgement, not measured.
    least_gain: float = 0.001
    least_recommended: int = 3

    # The expected improvement below which a family that was not tried yet is left alone: what has no time is worth
    # exp(-50) of what it would be. Judgement.
    least_expected: float = 1e-20

    # How often a configuration is chosen anew because another process chose it at the same moment: of so many that
    # begin together the last may have to. And how long the earlier of two waits for the later to choose anew: so many
    # times what its own choice took, on a slow storage or machine too, and so many seconds at least. Judgement.
    choices: int = 8
    yield_choices: float = 2.0
    yield_seconds: float = 0.02


OPTIONS = SamplerOptions()
