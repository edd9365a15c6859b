"""What the store knows of past studies, as a sampler needs it.

Where past studies share their configurations, they are a table, and are read as one (`MetaStore.past`). Where each went
its own way a table has nothing but missing entries: then they are read as functions (`transfer.PastStudies`), which the
store keeps beside the studies, so that opening a sampler does not read every trial again. They are learned when a study
is remembered (`refresh`), once a tenth of the studies is new; before that, readers add the new ones.

Laws: reading writes nothing; what is kept is never more than a copy: without it, the same is learned from the trials;
what a reader must not see has no part in what it gets.

Letters:  t past studies · m configurations · n trials of a study.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution

from autometa.errors import StoreError
from autometa.space import Config, SearchSpace
from autometa.space.values import index_of
from autometa.store import Exclusion, MetaStore, PastTasks, PastTrials
from autometa.store.records import NOTHING
from autometa.studies.adapting import spanning
from autometa.studies.keeping import VALUE
from autometa.studies.options import OPTIONS
from autometa.transfer.packing import Archive, packed
from autometa.transfer.past_studies import OwnTrials, PastStudies, extended, summarised
from autometa.transfer.selection import evenly
from autometa.transfer.threads import one_thread

_log = optuna.logging.get_logger("optuna.autometa")


@one_thread()
def past_of(
    store: MetaStore, space: str, *, exclude: Exclusion = NOTHING, renamed: Mapping[str, str] | None = None
) -> PastTasks:
    """What is known of the past studies of a named space.

    Args:
        store: Where `remember` keeps them.
        space: The name of their space.
        exclude: What must not be seen.
        renamed: Old name of a parameter -> its new one.

    Raises:
        StoreError: If the store cannot be used.

    Example:
        >>> len(past_of(MetaStore("no_such_folder/store.db"), "churn"))
        0
    """
    whole = exclude == NOTHING and not renamed
    if whole and (known := _kept(store, space)) is not None:
        return known
    found = _learned(store, space, exclude, dict(renamed or {}))
    return store.past(space=space, kind=None, metric=VALUE, exclude=exclude) if found is None else found


@one_thread()
def refresh(store: MetaStore, space: str) -> None:
    """Learns the functions of past studies and keeps them in the store, if a tenth of the studies is new.

    It takes about a second for a hundred studies. A store that cannot be written keeps what it has; that is said.
    """
    try:
        content, studies = store.weights(_key(space))
        now = store.counts(space)
        archive = Archive.read(content)
        known = {} if archive is None else archive.counts
        changed = sum(known.get(fingerprint) != count for fingerprint, count in now.items())
        growth = changed if content else len(now) - studies
        if len(now) < 2 or growth <= OPTIONS.added_share * (len(known) if content else studies):
            return
        found = _learned(store, space, NOTHING, {})
        store.keep_weights(_key(space), b"" if found is None else packed(found, now), len(now))
    except StoreError as error:
        _log.warning(f"{error} What the past studies of {space!r} say is learned when it is asked for.")


def _kept(store: MetaStore, space: str) -> PastStudies | None:
    """What the store keeps of past studies, with those added that came since; None where it is of no more use."""
    archive = Archive.read(store.weights(_key(space))[0])
    if archive is None:
        return None
    known, now = archive.counts, store.counts(space)
    changed = [fingerprint for fingerprint, count in now.items() if known.get(fingerprint) != count]
    if known.keys() - now.keys() or len(changed) > OPTIONS.added_share * len(known):
        return None
    records = {record.fingerprint: record for record in store.tasks(space=space, fingerprints=archive.studies)}
    past = archive.past([records[fingerprint] for fingerprint in archive.studies])
    return past if not changed else _extended(past, store.trials(space=space, metric=VALUE, fingerprints=changed))


def _extended(past: PastStudies, trials: PastTrials) -> PastStudies | None:
    """With studies that came since; None where they searched what the space of the others does not hold."""
    space, configs, examples = spanning(trials, {}, OPTIONS.added_configs)
    if space is None or not _fits(past.functions.space, space):
        return None
    studies = _own(trials, configs, past.functions.space)
    metafeatures = np.full((len(studies), len(past.metafeature_names)), np.nan)
    if trials.metafeature_version == past.metafeature_version:
        position = {name: column for column, name in enumerate(past.metafeature_names)}
        for column, name in enumerate(trials.metafeature_names):
            if name in position:
                metafeatures[:, position[name]] = trials.metafeatures[:, column]
    return replace(extended(past, studies, metafeatures), examples=(*past.examples, *examples))


def _fits(whole: SearchSpace, space: SearchSpace) -> bool:
    """Whether a space can express every value of another one: all categories, and numbers for numbers."""
    for p in space:
        if p.name not in whole:
            return False
        ours, theirs = whole[p.name].distribution, p.distribution
        if isinstance(ours, CategoricalDistribution) != isinstance(theirs, CategoricalDistribution):
            return False
        choices = theirs.choices if isinstance(theirs, CategoricalDistribution) else ()
        if any(index_of(ours, choice) is None for choice in choices):  # type: ignore[arg-type]
            return False
    return True


def _learned(store: MetaStore, space: str, exclude: Exclusion, renamed: Mapping[str, str]) -> PastStudies | None:
    """Past studies as functions; None where they share their configurations, or tell too little.

    Of many, an even selection is read at once, the others some at a time.
    """
    every = sorted(store.counts(space))
    if len(every) >= OPTIONS.many_studies:
        _log.info(f"Learning from the {len(every)} past studies of {space!r}.")
    chosen = [every[position] for position in evenly(len(every), OPTIONS.table_studies)]
    trials = store.trials(space=space, metric=VALUE, exclude=exclude, fingerprints=chosen)
    if len(trials) < 2 or _shared(trials) >= OPTIONS.shared_share:
        return None
    whole, configs, examples = spanning(trials, renamed, OPTIONS.condition_configs)
    if whole is None:
        return None
    rest = sorted(set(every) - set(chosen))

    def others() -> Iterator[OwnTrials]:
        for start in range(0, len(rest), OPTIONS.table_studies):
            some = rest[start : start + OPTIONS.table_studies]
            more = store.trials(space=space, metric=VALUE, exclude=exclude, fingerprints=some)
            theirs = spanning(more, renamed, OPTIONS.added_configs)
            if theirs.space is not None and _fits(whole, theirs.space):
                yield from _own(more, theirs.configs, whole)
            elif len(more):
                _log.info(f"{len(more)} past studies of {space!r} searched what the others did not, and are left out.")

    metafeatures = trials.metafeatures, trials.metafeature_names, trials.metafeature_version
    found = summarised(_own(trials, configs, whole), whole, metafeatures, others())
    return None if found is None else replace(found, examples=tuple(examples))


def _own(trials: PastTrials, configs: Sequence[Config], space: SearchSpace) -> list[OwnTrials]:
    """Each study with its own part of all configurations, encoded in a space that holds them."""
    x, mask = space.encode_all(configs)
    return [
        OwnTrials(record, tuple(configs[i] for i in own), x[own], mask[own], scores, seconds)
        for record, (own, scores, seconds) in zip(trials.records, trials.tried, strict=True)
    ]


def _shared(trials: PastTrials) -> float:
    """The share of evaluations whose configuration another study tried as well."""
    count = np.bincount(np.concatenate([own for own, *_ in trials.tried]), minlength=len(trials.configs))
    return float(count[count > 1].sum() / max(count.sum(), 1))


def _key(space: str) -> str:
    """Where the store keeps the functions of a space: beside the weights of its surrogate, under a name of no space."""
    return f"{space}\nfunctions"
