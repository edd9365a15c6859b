"""Promises of `errors`: one tree, its exit codes, and all problems of one input in one message."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autometa.errors import AutoMetaError, InputError, NoModelError, Problem, RunError, StoreError, did_you_mean

LEAVES = [
    (InputError, ValueError, 2),
    (StoreError, RuntimeError, 3),
    (RunError, RuntimeError, 3),
    (NoModelError, RuntimeError, 4),
]


@pytest.mark.parametrize(("error", "builtin", "exit_code"), LEAVES)
def test_each_error_is_ours_and_the_builtin_it_resembles(error, builtin, exit_code):
    raised = error("what went wrong")
    assert isinstance(raised, AutoMetaError)
    assert isinstance(raised, builtin)
    assert raised.exit_code == exit_code
    assert str(raised) in ("what went wrong", "what went wrong.")


@pytest.mark.parametrize(("error", "builtin", "exit_code"), LEAVES)
def test_each_error_crosses_a_process_boundary_whole(error, builtin, exit_code):
    raised = error("what went wrong")
    received = pickle.loads(pickle.dumps(raised))
    assert type(received) is error
    assert str(received) == str(raised)


@given(st.lists(st.tuples(st.text(), st.text(min_size=1), st.text()), min_size=1))
def test_an_input_error_keeps_every_problem_through_pickling(rows):
    problems = tuple(Problem(*row) for row in rows)
    received = pickle.loads(pickle.dumps(InputError(problems)))
    assert received.problems == problems
    assert str(received) == "\n".join(map(str, problems))


def test_all_problems_are_listed_one_a_line_with_their_mend():
    error = InputError(
        [
            Problem("a.csv", "no column 'clas'", "Did you mean 'class'?"),
            Problem("--time", "-1 is not positive"),
        ]
    )
    assert str(error).splitlines() == ["a.csv: no column 'clas'. Did you mean 'class'?", "--time: -1 is not positive."]


@pytest.mark.parametrize("what", ["is empty.", "is it a table?", "is empty"])
def test_a_problem_ends_in_one_mark(what):
    assert str(Problem("a.csv", what)) == f"a.csv: {what.rstrip('.?')}{what[-1] if what[-1] in '.?' else '.'}"


def test_a_near_miss_is_suggested_whatever_its_case():
    assert did_you_mean("TARGET", ["age", "target"]) == "Did you mean 'target'?"
    assert did_you_mean("incme", ["age", "income"]) == "Did you mean 'income'?"


@given(st.lists(st.text(alphabet="abc", max_size=5)))
def test_nothing_is_suggested_for_what_resembles_nothing(known):
    assert did_you_mean("xyzw", known) == ""


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.data())
def test_a_suggestion_is_always_a_known_name(known, data):
    name = data.draw(st.text())
    suggestion = did_you_mean(name, known)
    assert suggestion == "" or suggestion in {f"Did you mean {k!r}?" for k in known}


def test_names_that_are_numbers_are_compared_as_text():
    assert did_you_mean("12", [121, 7]) == "Did you mean '121'?"
