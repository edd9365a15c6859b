"""The Optuna face of the warm start: a sampler that begins with what worked on similar past tasks.

    initial design   a recommender, which sees the results so far
    search           the guarded mixture of what past tasks, the meta-trained surrogate and a cold process expect
    cold             Optuna's TPE: where there is no past, and in long searches

The space is given, or named: then it is learned from the trials that `studies.remember` kept in a store under that
name, and follows what the study at hand asks for. All book-keeping is in the study: which trial was given what, and
why, stands in the trial's attributes, so a study may be resumed, shared by workers, and mixed with enqueued trials;
nothing is counted in the sampler itself.

    autometa:origin   an `origins.Origin`: default, portfolio, similar, surrogate, search (the cold sampler), enqueued
    autometa:reason   a sentence for people
    autometa:config   the configuration that the trial was given; once it has finished, what ran
    autometa:given    what it was given, where something else ran

Laws: a configuration that any trial of the study has, whatever became of it, is not recommended again; `n_initial`
counts only what the sampler itself gave, never what was enqueued, whatever attributes that brings along; without a past
the study is exactly the cold sampler's own; no process is started. To use another recommender, pass it, or its name in
`RECOMMENDERS`.

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from autometa.origins import CONFIG, ORIGIN, REASON
from autometa.sampler.cold import cold_sampler
from autometa.sampler.options import OPTIONS, SamplerOptions
from autometa.sampler.warm_start import WarmStartSampler

__all__ = ["CONFIG", "OPTIONS", "ORIGIN", "REASON", "SamplerOptions", "WarmStartSampler", "cold_sampler"]
