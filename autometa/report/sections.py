"""The sections of the report, in the order in which a person asks.

What came out, of which data, how it was found, who leads, what the model is, how good it is, which columns matter, what
the memory proposed, what failed, and how to reproduce it. Each section is a function from a report to markup, or to
None where there is nothing to say. To add one, write it and give it a line in `SECTIONS`.
"""

from __future__ import annotations

import platform
import shlex
from typing import TYPE_CHECKING, Any

from autometa.origins import State
from autometa.report import charts
from autometa.report.data import data
from autometa.report.html import Markup, join, tag
from autometa.report.mistakes import mistakes
from autometa.report.options import OPTIONS
from autometa.report.parts import Report, command, figure, figures, fold, origin, parameters, table, version
from autometa.report.quality import importance, quality
from autometa.report.trials import board, failures, search
from autometa.report.verdict import dummy_words, ends_words, interval_words, made_words, warning
from autometa.report.words import (
    evidence_values,
    family_label,
    held_out_words,
    meta_feature_words,
    metric_title,
    number,
    origin_words,
    own_parameters,
    own_unit,
    score_words,
    setting,
    spoken_seconds,
    spoken_value,
    state_words,
)
from autometa.search import Ends

if TYPE_CHECKING:
    from autometa.search import Settings


def outcome(report: Report) -> Markup:
    """The figures a person looks for first."""
    result, metric = report.result, report.metric
    best = result.best
    family = family_label(best.evaluation.config["family"])
    several = len(result.members) > 1
    spread = "" if result.interval is None else f"95 %: {interval_words(metric, result.interval)}"
    facts = [
        (
            spoken_value(metric, result.score),
            f"{metric_title(metric, report.task.positive_label)} of the model, {held_out_words(report.task)}",
            spread,
        ),
        (f"{len(result.members)} pipelines", "in the ensemble", "") if several else (family, "is the model", ""),
        (spoken_value(metric, report.score(best)), f"best single pipeline: {family}, trial {best.number}", ""),
        (f"{len(result.trials):,}", "configurations tried", ends_words(Ends.of(result.trials))),
        (spoken_seconds(result.seconds), f"of {_budget_words(result.settings)}", ""),
    ]
    interrupted = "The run was interrupted; this is the best of what had been tried by then."
    ended = tag("p", interrupted, cls="quiet") if result.interrupted else None
    doubt, beside = warning(result), dummy_words(result)
    said = [
        tag("p", doubt, cls="warning") if doubt else None,
        tag("p", f"{beside[0].upper()}{beside[1:]}.") if beside else None,
        tag("p", f"Columns that the model makes of yours: {made}.") if (made := made_words(result)) else None,
    ]
    return join([figures(facts), ended, *said, tag("p", _warm_words(report))])


def _budget_words(settings: Settings) -> str:
    parts = []
    if settings.seconds is not None:
        parts.append(f"{spoken_seconds(settings.seconds)} allowed")
    if settings.trials is not None:
        parts.append(f"{settings.trials:,} trials allowed")
    return " and ".join(parts) or "no limit"


def _warm_words(report: Report) -> str:
    """What starting from past tasks was worth."""
    result, metric = report.result, report.metric
    if result.settings.cold:
        return "The search started cold: past tasks did not decide what was tried."
    warm = result.warm_start
    if not warm.proposed and result.was_hurried:
        return "There was no time to ask the memory; this run will be remembered for the next."
    if not warm.proposed:
        return "The memory had no past task that could say what to try here; this run will be remembered for the next."
    if (first := warm.best_proposed) is None:
        return "Nothing that past tasks proposed could be evaluated here; this run will be remembered for the next."
    words = (
        f"Of what past tasks proposed, {warm.evaluated} configurations were tried; the best of them, trial "
        f"{first.number} ({family_label(first.evaluation.config['family'])}), reached "
        f"{spoken_value(metric, report.score(first))} after {spoken_seconds(first.finished)}."
    )
    if (other := warm.best_other) is not None:
        words += (
            f" The best of all other trials, number {other.number} ({origin_words(other.origin)}), "
            f"reached {spoken_value(metric, report.score(other))}."
        )
    return words


def model(report: Report) -> Markup:
    """The members of the final model with their weights, and the parameters of the best single pipeline."""
    result, metric = report.result, report.metric
    by_number = {t.number: t for t in result.trials}
    parts: list[Any] = []
    if len(result.members) > 1:
        gain = abs(own_unit(metric, result.score) - own_unit(metric, report.score(result.best)))
        better = result.score > report.score(result.best)
        words = "The final model is a weighted average of pipelines"
        words += f", better than the best of them alone by {number(gain, 2)}." if better else "."
        rows = []
        for n, weight in sorted(result.members, key=lambda m: -m[1]):
            family = family_label(by_number[n].evaluation.config["family"])
            rows.append((f"{family}, trial {n}", weight, f"{weight:.0%}"))
        chart = charts.bars(rows, "Weights of the ensemble's members", width=440, name_share=0.5)
        parts.append(figure("Who answers, with which weight", chart, words))
    else:
        n = result.members[0][0] if result.members else result.best.number
        family = family_label(by_number[n].evaluation.config["family"])
        parts.append(
            tag("p", f"The model is one pipeline, {family} from trial {n}: no ensemble of the trials was better.")
        )
    refitted = getattr(result, "refitted", True)
    parts.append(
        tag(
            "p",
            "It was fitted anew on all rows; where its fold models are small, the mean of their answers counts half."
            if refitted
            else "There was no time to fit everything anew on all rows: members answer by the models of their folds.",
            cls="quiet small",
        )
    )
    return tag("div", tag("div", parts), tag("div", _winner(report)), cls="pair")


def _winner(report: Report) -> Markup:
    """The best single configuration beside its family's default."""
    trial = report.result.best
    config = trial.evaluation.config
    default = _default_of(report.task.kind, config["family"])
    rows = []
    for name, value in own_parameters(config).items():
        known = f"{config['family']}.{name}" in default
        usual = setting(default[f"{config['family']}.{name}"]) if known else ""
        chosen = setting(value)
        rows.append([tag("code", name), tag("b", chosen) if known and chosen != usual else chosen, usual])
    title = tag("h3", f"The best single pipeline: {family_label(config['family'])}, trial {trial.number}")
    reason = tag("p", origin(trial.origin), " ", trial.reason, cls="quiet small")
    chosen_table = table([("parameter", "name"), ("chosen", "n"), ("default", "n")], rows)
    return join([title, reason, chosen_table if rows else tag("p", "It has no parameters to choose.")])


def _default_of(kind: str, family: str) -> dict[str, Any]:
    from autometa.errors import InputError
    from autometa.families import cash_space

    try:
        return cash_space(kind, [family]).default  # type: ignore[arg-type]
    except InputError:  # the run used a family that is not installed here
        return {}


def memory(report: Report) -> Markup | None:
    """What past tasks proposed, and why."""
    if not report.result.recommendations:
        return None
    lead = "What was proposed before the first trial, and the past tasks that it rests on."
    return join([tag("p", lead, cls="lead"), _past_tasks(report), _proposals(report)])


def _past_tasks(report: Report) -> Markup | None:
    """The past tasks that proposals rest on, the most similar first, and what the measures of similarity mean."""
    tasks: dict[str, dict[str, Any]] = {}
    for recommendation in report.result.recommendations:
        for evidence in map(evidence_values, recommendation.evidence):
            seen = tasks.setdefault(
                evidence["task"], {"similarity": evidence["similarity"], "agrees": evidence["agrees"], "uses": 0}
            )
            seen["uses"] += 1
    if not tasks:
        return None
    ranked = sorted(tasks.items(), key=lambda item: -(item[1]["similarity"] or 0.0))[: OPTIONS.past_tasks]
    rows: list[list[Any]] = []
    for name, facts in ranked:
        alike = ", ".join(str(word).replace("_", " ") for word in facts["agrees"])
        rows.append([name, _meter(facts["similarity"]), alike, str(facts["uses"])])
    titles = [("past task", "name"), ("similarity", "keep"), ("most alike in", ""), ("proposals", "n")]
    measures = sorted({str(word) for _, facts in ranked for word in facts["agrees"]})
    meanings = [(word.replace("_", " "), words) for word in measures if (words := meta_feature_words(word))]
    glossary = fold("What these measures are", table([("measure", "keep"), ("what it is", "")], meanings))
    return join([tag("h3", "Similar past tasks"), table(titles, rows), glossary if meanings else None])


def _proposals(report: Report) -> Markup:
    """Every proposal, and what came of it here."""
    from autometa.space import config_key

    tried = {config_key(t.evaluation.config): t for t in report.result.trials}
    rows = []
    for rank, proposal in enumerate(report.result.recommendations, start=1):
        trial = tried.get(config_key(proposal.config))
        if trial is None:
            came = "not tried"
        elif trial.evaluation.state == State.COMPLETE:
            came = score_words(trial, report.metric)
        else:
            came = state_words(trial.evaluation.state)
        cells = [str(rank), family_label(proposal.config["family"]), origin(proposal.origin), came]
        rows.append([*cells, proposal.reason, parameters(proposal.config)])
    titles = [
        ("#", "n"),
        ("family", "keep"),
        ("from", ""),
        (f"{metric_title(report.metric, report.task.positive_label)} here", "n"),
    ]
    listing = table([*titles, ("why", "why"), ("parameters", "")], rows)
    return join([tag("h3", "Proposals"), listing])


def _meter(share: float | None) -> Markup | str:
    """A number in [0, 1] with a little bar."""
    if share is None:
        return ""
    full = tag("i", style=f"width:{100 * min(max(share, 0.0), 1.0):.0f}%")
    return join([tag("span", full, cls="meter"), number(float(share), 2)])


def again(report: Report) -> Markup:
    """What is needed to reproduce it."""
    result, settings = report.result, report.result.settings
    versions: dict[str, str] = {}
    for trial in result.trials:
        versions |= trial.evaluation.versions
    facts: list[tuple[str, Any]] = [
        ("run", str(result.run)),
        ("model", str(result.model)),
        ("fingerprint of the data", str(report.task.fingerprint)),
        ("seed", str(settings.seed)),
        ("budget", _budget_words(settings)),
        ("families", ", ".join(settings.families) if settings.families else "all that suit the table"),
        ("memory", "none (cold)" if settings.cold else settings.shown_store or "the user's own store"),
        ("AutoMeta", version()),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
    ]
    parts: list[Any] = [
        tag("p", "Predict the rows of another table:"),
        tag("pre", f"autometa predict {shlex.quote(str(result.run))} new.csv --out predictions.csv"),
        tag("p", "Search again with the same settings:"),
        tag("pre", command(report.task, settings)),
    ]
    if settings.trials is None:
        words = "A time budget does not repeat exactly: how much is tried depends on the machine. --trials does."
        parts.append(tag("p", words, cls="quiet small"))
    return join([*parts, table([("", "quiet keep"), ("", "name")], facts)])


SECTIONS = (
    ("outcome", "Outcome", outcome),
    ("data", "Data", data),
    ("search", "Search", search),
    ("leaderboard", "Leaderboard", board),
    ("model", "Model", model),
    ("quality", "How good it is", quality),
    ("importance", "Feature importance", importance),
    ("mistakes", "Where it errs", mistakes),
    ("memory", "Past tasks", memory),
    ("failures", "Failures", failures),
    ("again", "Reproduce", again),
)
