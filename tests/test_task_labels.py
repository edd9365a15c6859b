"""Promises of labels: what comes back is what somebody wrote, in type and letters; which kind it is follows a rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.task import label_array, make_task, read_task
from autometa.task.kinds import coded

Q = '"'


def lines(header: str, row: object, n: int = 60) -> bytes:
    return (header + "\n" + "".join(f"{row(i)}\n" for i in range(n))).encode()  # type: ignore[operator]


@pytest.mark.parametrize(
    "labels",
    [
        ("01", "02", "10"),
        ("EU", "NA", "AS"),
        ("null", "some", "None"),
        ("a ", "b", " a"),
        ("+1", "-1"),
        ("true", "false"),
        ("1.1", "1.10", "1.2"),
        ("1,5", "2,5"),
        ("1e3", "1000"),
        ("?", "!"),
        ("nan", "inf", "x"),
        ("東京", "大阪"),
        ("a\nb", "a,b", f"a{Q}b"),
    ],
)
@pytest.mark.parametrize("quoted", [True, False])
def test_text_labels_come_back_letter_by_letter(labels: tuple[str, ...], quoted: bool) -> None:
    from_python = make_task(
        np.arange(60.0)[:, None] % 7, y=[labels[i % len(labels)] for i in range(60)], kind="multiclass"
    )
    assert from_python.classes == tuple(sorted(labels))
    if quoted:
        row = lambda i: f"{i % 7}.5,{i % 5},{Q}{labels[i % len(labels)].replace(Q, Q + Q)}{Q}"  # noqa: E731
        task = read_task(lines("a,b,y", row), kind="classification")
        assert task.classes == tuple(sorted(labels))


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([-1, 0, 1], int),
        ([2**53, 2**53 + 1, 2**53 + 8], int),
        ([2**63, 2**63 + 1], int),
        ([2**70, -1], int),
        ([1.0, 2.0], float),
        ([0.5, 1.5], float),
        ([True, False], bool),
        (["a", "b"], str),
    ],
)
def test_labels_keep_their_type(labels: list[object], kind: type) -> None:
    y = np.empty(60, dtype=object)
    y[:] = [labels[i % len(labels)] for i in range(60)]
    for given_ in (y, pd.Series(y).infer_objects(), pd.Categorical(y)):
        task = make_task(np.arange(60.0)[:, None] % 7, y=given_, kind="classification")
        assert task.classes == tuple(sorted(labels))  # type: ignore[type-var]
        assert {type(one) for one in task.classes} == {kind}
        back = label_array(task.classes)[task.y]
        assert back.tolist() == y.tolist()
        assert {type(one) for one in back.tolist()} == {kind}


def test_labels_of_several_types_stay_apart() -> None:
    y = [1, "1", "a", 2.5] * 15
    task = make_task(np.arange(60.0)[:, None] % 7, y=np.array(y, dtype=object))
    assert task.classes == (1, 2.5, "1", "a")
    assert label_array(task.classes)[task.y].tolist() == y
    assert any("text or a number: '1'" in note for note in task.notes)


@pytest.mark.parametrize(
    ("cells", "classes"), [("0 1", (0, 1)), ("1.0 2.0", (1.0, 2.0)), ("True False", (False, True))]
)
def test_a_file_has_numbers_and_truth_values_where_they_would_be_written_so(
    cells: str, classes: tuple[object, ...]
) -> None:
    task = read_task(lines("a,y", lambda i: f"{i % 7}.5,{cells.split()[i % 2]}"))
    assert task.classes == classes
    assert [type(one) for one in task.classes] == [type(one) for one in classes]


def test_a_word_for_missing_without_quotes_is_refused_with_both_ways_out() -> None:
    data = lines("a,b,region", lambda i: f"{i % 7}.5,{i % 5},{['EU', 'NA', 'AS'][i % 3]}")
    with pytest.raises(
        InputError, match=r"20 labels are missing.*If 'NA' is a label, put quotes around it, or say --na"
    ):
        read_task(data)
    assert read_task(data, na=()).classes == ("AS", "EU", "NA")
    assert read_task(data, drop_missing_target=True).classes == ("AS", "EU")


def test_among_numbers_a_word_for_missing_is_missing_in_quotes_too() -> None:
    data = lines("a,y", lambda i: f"{i % 7}.5,{Q}{'NA' if i == 3 else i / 4}{Q}")
    task = read_task(data, drop_missing_target=True)
    assert (task.kind, task.n) == ("regression", 59)
    with pytest.raises(InputError, match="1 label is missing"):
        make_task(np.arange(60.0)[:, None], y=["NA" if i == 3 else str(i / 4) for i in range(60)])


def test_the_words_for_missing_can_be_said() -> None:
    data = lines("a,v,y", lambda i: f"{i % 7}.5,{'-999' if i % 3 == 0 else i},{'gone' if i == 1 else 'ab'[i % 2]}")
    task = read_task(data, na=["-999", "gone"], drop_missing_target=True)
    assert task.n == 59
    assert task.X["v"].isna().sum() == 20
    frame = pd.DataFrame({"v": [-999, 1, 2, 3] * 15, "y": list("ab") * 30})
    made = make_task(frame, na=["-999"])
    assert made.X["v"].isna().sum() == 15
    assert made.schema.apply(pd.DataFrame({"v": [-999.0, 5.0]}))["v"].isna().tolist() == [True, False]


def test_the_rule_is_said_and_overruled() -> None:
    frame = pd.DataFrame({"a": np.arange(300) % 11, "mood": np.arange(300) % 3 - 1})
    task = make_task(frame)
    assert (task.kind, task.classes) == ("multiclass", (-1, 0, 1))
    assert any("because it holds the codes -1 to 1" in note for note in task.notes)
    assert make_task(frame, kind="regression").kind == "regression"


label = st.one_of(st.text(max_size=4), st.integers(-(2**70), 2**70), st.booleans(), st.floats(allow_nan=False))


@given(labels=st.lists(label, min_size=1, max_size=30))
def test_codes_lead_back_to_the_labels(labels: list[object]) -> None:
    column = pd.Series(labels, dtype=object)
    codes, classes = coded(column)
    assert label_array(classes)[codes].tolist() == labels
    assert len({(type(one), one) for one in classes}) == len(classes)


def test_a_metric_of_the_positive_class_says_which_that_is() -> None:
    y = ["fraud" if i % 20 == 0 else "legit" for i in range(200)]
    frame = pd.DataFrame({"a": np.arange(200) % 13, "y": y})
    task = make_task(frame, metric="f1")
    (said,) = (note for note in task.notes if "positive" in note)
    assert said.startswith("f1 is that of the positive class, which is 'fraud', the rarer one; --positive LABEL")
    assert (task.positive, task.positive_label) == (0, "fraud")
    assert not any("positive" in note for note in make_task(frame, metric="accuracy").notes)


@pytest.mark.parametrize(
    ("labels", "shares", "positive"),
    [
        (("fraud", "legit"), (1, 3), "fraud"),
        (("no", "yes"), (1, 3), "no"),
        (("bad", "good"), (1, 1), "good"),
        ((0, 1), (1, 3), "1"),
        ((-1, 1), (1, 3), "1"),
        ((False, True), (1, 3), "True"),
        ((1, 2), (1, 3), "1"),
    ],
)
def test_the_positive_class_is_the_rarer_or_what_one_says_of_zero_and_one(labels, shares, positive) -> None:
    y = [labels[0]] * (20 * shares[0]) + [labels[1]] * (20 * shares[1])
    task = make_task(pd.DataFrame({"a": np.arange(len(y)) % 7}), y=y, kind="classification")
    assert task.positive_label == positive


@pytest.mark.parametrize(("asked", "found"), [("2", 2), (1, 1)], ids=["text", "number"])
def test_the_positive_class_can_be_named_as_it_is_or_as_text(asked, found) -> None:
    y = [1, 2] * 20
    task = make_task(pd.DataFrame({"a": np.arange(40) % 7}), y=y, kind="classification", positive=asked)
    assert task.classes[task.positive] == found
    assert f"Positive class: '{found}', as asked." in task.notes


def test_a_positive_class_that_cannot_be_is_refused(tmp_path) -> None:
    X = pd.DataFrame({"a": np.arange(60) % 7})
    with pytest.raises(InputError, match=r"'frod' is none of the classes\. Choose 'fraud' or 'legit'"):
        make_task(X, y=["fraud", "legit"] * 30, positive="frod")
    with pytest.raises(InputError, match="multiclass tasks have no positive class"):
        make_task(X, y=["a", "b", "c"] * 20, positive="a")
    with pytest.raises(InputError, match="regression tasks have no positive class"):
        make_task(X, y=np.arange(60.0) / 7, positive="a")
    task = make_task(X, y=["fraud", "legit"] * 30, positive="fraud")
    task.save(tmp_path)
    assert type(task).load(tmp_path).positive == 0
