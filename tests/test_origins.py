"""Origins and states: every one can be shown, in a table, a sentence, the terminal and the report."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

import autometa
from autometa.origins import Origin, State


@pytest.mark.parametrize("origin", Origin)
def test_an_origin_is_shown_everywhere(origin):
    assert origin.label
    assert origin.phrase
    style = (Path(autometa.__file__).parent / "report" / "page.css").read_text(encoding="utf-8")
    assert f".o-{origin} " in style, "a colour in page.css"


@pytest.mark.parametrize("state", State)
def test_a_state_is_shown_everywhere(state):
    assert state.label
    assert state.ended_well == (state in ("complete", "stopped"))


@pytest.mark.parametrize("known", [*Origin, *State])
def test_it_is_its_text_in_journals_and_stores(known):
    assert json.loads(json.dumps({"is": known})) == {"is": str(known)}
    assert pickle.loads(pickle.dumps(known)) is known
    assert type(known).read(str(known)) is known


def test_an_unknown_text_is_no_error():
    assert Origin.read("oracle") is None
    assert Origin.read(None) is None
    assert State.read("asleep") is None


def test_only_what_a_recommender_gave_counts_as_recommended():
    assert {o for o in Origin if o.recommended} == {Origin.DEFAULT, Origin.PORTFOLIO, Origin.SIMILAR}
    assert {o for o in Origin if o.proposed} == {Origin.PORTFOLIO, Origin.SIMILAR}
    assert {o for o in Origin if o.searched} == {Origin.SURROGATE, Origin.NEWCOMER, Origin.SEARCH}
