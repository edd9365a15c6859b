"""Somebody's own studies as past tasks: what is kept of them, and the space that they share.

    remembering     every finished trial enters a store, under the name that the person gave to the space
    keeping         a trial as the store keeps it, and which past task it belongs to
    adapting        what a store holds under that name, put into the space as it is now
    conditions      when a parameter is active, learned from trials
    constraints     what past studies said of constraints
    distributions   values, and the distributions that can take them
    summary         past studies as a sampler needs them: a table, or functions that the store keeps
    options         the tuned numbers

Laws: remembering twice changes nothing; a store that cannot be written for a while loses nothing that the study still
holds; values are kept so that larger is better, whatever the study's direction; a past configuration is never given a
value that it did not have: what it lacks stays missing.

Letters:  t past studies · m configurations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.moved import former
from autometa.space.values import plain
from autometa.studies.adapting import AdaptedPast, FollowedPast, ShownSpace, adapt, without_own
from autometa.studies.constraints import told_constraints
from autometa.studies.distributions import fit_value, spanned
from autometa.studies.keeping import ENDED, VALUE, About, described, own_fingerprint, sign_of
from autometa.studies.remembering import remember, remember_studies, remember_study

__all__ = [
    "ENDED",
    "VALUE",
    "About",
    "AdaptedPast",
    "FollowedPast",
    "ShownSpace",
    "adapt",
    "described",
    "fit_value",
    "own_fingerprint",
    "plain",
    "remember",
    "remember_studies",
    "remember_study",
    "sign_of",
    "spanned",
    "told_constraints",
    "without_own",
]

if not TYPE_CHECKING:
    __getattr__ = former(__name__)
