"""Promises of columns: what each is found to hold, and how its cells are read, however they arrive."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.task import Schema, Task, make_task, read_task
from autometa.task.cells import common_unit, number_style, spelled_numbers


def one(values: object, n: int = 40) -> tuple[Task, str]:
    """A task with that one column, and its notes."""
    frame = pd.DataFrame({"it": values, "other": np.arange(n) % 3 + 0.5, "class": np.arange(n) % 2})
    task = make_task(frame)
    return task, "\n".join(task.notes)


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([f"{i},{i % 10}" for i in range(40)], [i + i % 10 / 10 for i in range(40)]),
        ([f"1.{i:03d},5" for i in range(40)], [1000.5 + i for i in range(40)]),
        ([f"{i + 1},234.5" for i in range(40)], [(i + 1) * 1000 + 234.5 for i in range(40)]),
        ([f" {i / 4} " for i in range(40)], [i / 4 for i in range(40)]),
        (["1e3", "-.5", "+2", "7."] * 10, [1000, -0.5, 2, 7] * 10),
        (["unknown", *[str(i / 4) for i in range(1, 40)]], [np.nan, *[i / 4 for i in range(1, 40)]]),
        ([np.inf, -np.inf, *range(3, 41)], [np.nan, np.nan, *range(3, 41)]),
        (["True", "false", None, "True"] * 10, [1, 0, np.nan, 1] * 10),
        (pd.array([1, None, 3, 4] * 10, dtype="Int64"), [1, np.nan, 3, 4] * 10),
        (pd.to_timedelta([1, 2, 3, 4] * 10, unit="min"), [60, 120, 180, 240] * 10),
    ],
)
def test_numbers_are_found_however_they_are_spelled(values: object, numbers: list[float]) -> None:
    task, _ = one(values)
    assert "it" in task.columns.numeric
    np.testing.assert_allclose(task.X["it"], numbers)


def test_numbers_may_carry_a_unit() -> None:
    n = 60
    frame = pd.DataFrame(
        {
            "price": [f"${i * 1000 + 5:,}" if i % 9 else f"-${i * 1000 + 5:,}" for i in range(n)],
            "euros": [f"{i + 1}.{i:03},5\xa0€" for i in range(n)],
            "francs": [f"CHF {i * 3}" for i in range(n)],
            "share": [f"{i / 2} %" for i in range(n)],
            "weight": ["unknown" if i == 7 else f"{i}kg" for i in range(n)],
            "term": [f"{(36, 60)[i % 2]} months" for i in range(n)],
            "code": [f"c{i % 30}" for i in range(n)],
            "mixed": [f"{i % 30} {'kg' if i % 2 else 'lb'}" for i in range(n)],
        }
    )
    schema = Schema.fit(frame)
    assert schema.columns.numeric == ("price", "euros", "francs", "share", "weight", "term")
    assert schema.columns.categorical == ("code", "mixed")
    assert sum("unit" in note for note in schema.notes) == 6
    assert any("'unknown' taken as missing" in note for note in schema.notes)
    X = schema.apply(frame)
    assert X.loc[9, "price"] == -9005
    assert X.loc[11, "price"] == 11005
    assert X.loc[11, "euros"] == 12011.5
    assert X.loc[3, "share"] == 1.5
    assert np.flatnonzero(X["weight"].isna()).tolist() == [7]
    assert set(X["term"]) == {36, 60}
    later = frame.iloc[:3].assign(price=[5.0, 6.0, 7.0], share=["7", "8 kg", "9%"])  # as numbers; without, another
    assert schema.apply(later)["price"].tolist() == [5, 6, 7]
    np.testing.assert_array_equal(schema.apply(later)["share"], [7, np.nan, 9])


def test_infinities_and_odd_words_are_missing_and_noted() -> None:
    assert "Infinite values" in one([np.inf, *range(2, 41)])[1]
    assert "'unknown' taken as missing (1 cells)" in one(["unknown", *[str(i / 4) for i in range(1, 40)]])[1]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["same"] * 40, "constant"),
        ([None] * 40, "no values at all"),
        (list(range(1, 41)), "row numbers"),
        ([f"u{i}" for i in range(40)], "an identifier"),
    ],
)
def test_columns_of_no_use_are_dropped_and_noted(values: object, why: str) -> None:
    task, notes = one(values)
    assert list(task.X) == ["other"]
    assert task.schema.dropped["it"].startswith(why)
    assert f"Dropped 'it': {why}" in notes


def test_an_identifier_is_recognised_by_its_name_too_and_kept_where_nothing_else_is_left() -> None:
    ids = np.random.default_rng(0).permutation(9000)[:40]
    task = make_task(pd.DataFrame({"CustomerId": ids, "amount": ids[::-1], "class": np.arange(40) % 2}))
    assert list(task.X) == ["amount"]
    assert list(make_task(pd.DataFrame({"id": ids, "class": np.arange(40) % 2})).X) == ["id"]


def test_categories_are_sorted_text_fixed_when_fitted() -> None:
    task, _ = one(pd.Categorical([3, 1, 2, 1] * 10, categories=[9, 3, 2, 1]))
    assert task.X["it"].cat.categories.tolist() == ["1", "2", "3"]
    later = task.schema.apply(pd.DataFrame({"it": ["3", 1.0, 7, None], "other": 0}))
    assert later["it"].tolist()[:2] == ["3", "1"]
    assert later["it"].isna().tolist() == [False, False, True, True]
    assert later["it"].dtype == task.X["it"].dtype


def test_mixed_columns_become_categories_and_many_categories_are_noted() -> None:
    task, _ = one([1, "a", 2.5, None] * 10)
    assert task.X["it"].cat.categories.tolist() == ["1", "2.5", "a"]
    task, notes = one([f"v{i % 150}" for i in range(300)], 300)
    assert task.columns.categorical == ("it",)
    assert "More than 100 categories in 'it'" in notes


def test_sentences_are_text_and_missing_ones_are_empty() -> None:
    task, notes = one([None, *[f"note {i} of the day" for i in range(39)]])
    assert task.columns.text == ("it",)
    assert task.X["it"][0] == ""
    assert "Free text in 'it'" in notes


@pytest.mark.parametrize(
    "pattern",
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S"],
)
def test_moments_are_found_in_every_common_pattern_and_give_their_parts(pattern: str) -> None:
    when = pd.Series(pd.date_range("2019-11-20 07:30:05", periods=40, freq="100h"))
    task, notes = one(when.dt.strftime(pattern))
    oracle = pd.DataFrame(
        {
            "it.year": [t.year for t in when],
            "it.month": [t.month for t in when],
            "it.day": [t.day for t in when],
            "it.weekday": [t.weekday() for t in when],
            "it.hour": [t.hour for t in when],
            "it.elapsed": [(t - when[0]).total_seconds() for t in when],
        }
    )
    pd.testing.assert_frame_equal(task.X[list(oracle)], oracle, check_dtype=False)
    assert "dates or times" in notes
    same = task.schema.apply(pd.DataFrame({"it": when, "other": 0.0}))
    pd.testing.assert_frame_equal(same[list(oracle)], oracle, check_dtype=False)


def test_ranges_and_versions_are_no_dates() -> None:
    for values in (["10-14", "15-19"] * 20, ["2010-11", "2011-12"] * 20, ["v1.2.3", "v1.2.4"] * 20):
        assert one(values)[0].columns.categorical == ("it",)


def test_an_ambiguous_date_is_noted() -> None:
    assert "ambiguous" in one([f"0{i % 9 + 1}/0{i % 7 + 1}/2020" for i in range(40)])[1]


def test_every_usual_word_for_missing_is_missing() -> None:
    words = ["", "NA", "N/A", "?", "null", "None", "nan", "NaN"]
    data = "a,b,class\n" + "".join(f"{w},{w},{i % 2}\n1.5,x,{i % 2}\n2,y,{i % 2}\n" for i, w in enumerate(words))
    task = read_task(data.encode())
    assert task.columns.numeric == ("a",)
    assert task.X["a"].isna().sum() == task.X["b"].isna().sum() == len(words)
    assert any("Missing: 16 cells" in note for note in task.notes)


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="Complex data not supported"):
        make_task(np.ones((10, 2)) * 1j, y=[0, 1] * 5)


STYLES = {
    "point": lambda v: f"{v:.2f}",
    "thousands": lambda v: f"{v:,.2f}",
    "comma": lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")),
}


@pytest.mark.parametrize("style", STYLES)
@given(values=st.lists(st.integers(-(10**9), 10**9), min_size=1), unit=st.sampled_from(["", "kg", "€"]))
def test_numbers_are_read_as_they_were_spelled(style: str, values: list[int], unit: str) -> None:
    values = [value / 100 for value in [*values, 123456789]]  # the last shows the style
    bare = [STYLES[style](value) for value in values]
    texts = [f"{text} {unit}".strip() for text in bare]
    assert number_style(bare) == style
    assert common_unit(texts) == unit
    assert spelled_numbers(texts, style, unit).tolist() == values


# --- columns are not thrown away lightly ------------------------------------------------------------------------------


def test_a_count_of_the_rows_is_kept_where_it_foretells_the_target() -> None:
    t = np.arange(200)
    noise = np.random.default_rng(0).normal(size=200)
    trend = make_task(pd.DataFrame({"t": t, "noise": noise}), y=100 + 3 * t + 20 * noise)
    assert "t" in trend.X
    assert any("foretells the target" in note for note in trend.notes)
    drift = make_task(pd.DataFrame({"t": t, "noise": noise}), y=np.where(t + 60 * noise > 100, "late", "early"))
    assert "t" in drift.X
    assert "t" in make_task(pd.DataFrame({"t": t[:80], "noise": noise[:80]}), y=100 + 3 * t[:80]).X


def test_a_count_of_rows_that_are_sorted_by_class_is_dropped_and_said() -> None:
    frame = pd.DataFrame({"t": np.arange(200), "noise": np.random.default_rng(0).normal(size=200)})
    task = make_task(frame, y=np.repeat(["a", "b"], 100))
    assert list(task.X) == ["noise"]
    assert "sorted by the target" in task.schema.dropped["t"]


@pytest.mark.parametrize(
    "texts",
    [
        [f"这家餐厅的第{i}道菜味道{'非常好吃我很喜欢' if i % 2 else '太差了不会再来'}" for i in range(60)],
        [f"この店の{i}番目の料理は{'とても美味しい' if i % 2 else 'ひどかった'}" for i in range(60)],
        [f"อาหารจานที่{i}{'อร่อยมาก' if i % 2 else 'แย่มาก'}" for i in range(60)],
        [f"{'xyzuvwab'[i % 8]}{'mnopqrst'[i // 8]}ström" for i in range(60)],
        [f"{'anna' if i % 2 else 'ben'}.{'abcdefgh'[i % 8]}{'klmnopqr'[i // 8]}@mail.org" for i in range(60)],
    ],
)
def test_text_without_blanks_and_words_of_their_own_are_text(texts: list[str]) -> None:
    assert one(texts, 60)[0].columns.text == ("it",)


@pytest.mark.parametrize(
    "texts", [[f"INV-{i:05d}" for i in range(60)], [f"{i * 2654435761 % 2**32:08x}" for i in range(60)]]
)
def test_codes_of_their_own_for_every_row_are_dropped(texts: list[str]) -> None:
    assert one(texts, 60)[0].schema.dropped["it"].startswith("an identifier")


def test_what_is_asked_of_columns_overrules_what_is_found() -> None:
    n = 60
    data = "zip,id,code,when,v,y\n" + "".join(
        f"{'0' if i % 2 else '1'}{1000 + i % 7},{i},INV{i:04d},{i % 28 + 1}/3/24x,{i}.5,{i % 2}\n" for i in range(n)
    )
    task = read_task(data.encode(), keep=["id", "code"], drop=["v"], types={"zip": "category", "when": "text"})
    assert task.columns.numeric == ("id",)
    assert task.X["zip"].cat.categories.tolist() == sorted({f"{'0' if i % 2 else '1'}{1000 + i % 7}" for i in range(n)})
    assert task.columns.text == ("code", "when")
    assert task.schema.dropped["v"] == "as asked"
    numbers = read_task(data.encode(), types={"code": "number", "v": "category"}, drop=["when"])
    assert numbers.columns.categorical == ("v",)
    assert any("taken as missing (60 cells)" in note for note in numbers.notes)
    dates = read_task(data.replace("x,", ",").encode(), types={"when": "date"}, drop=["id"])
    assert dates.X["when.day"].tolist() == [i % 28 + 1 for i in range(n)]


def test_what_cannot_be_asked_is_refused_all_at_once() -> None:
    frame = pd.DataFrame({"age": [1.5, 2.5] * 10, "y": [0, 1] * 10})
    with pytest.raises(InputError) as caught:
        make_task(frame, keep=["agge"], drop=["age"], types={"age": "nummer"})
    message = str(caught.value)
    assert "no column 'agge'. Did you mean 'age'?" in message
    assert "'age': is to be dropped, and to be kept" in message
    assert "unknown type 'nummer'. Did you mean 'number'?" in message
