"""Embeddings in a table: lists in cells and numbered columns are one vector, which few-shot heads learn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autometa import make_task
from autometa.cli import main
from autometa.errors import InputError
from autometa.families import FAMILIES, build, cash_space, suited
from autometa.families.learners.few_shot import FewShotHead, embedded
from autometa.fitting import fit_file
from autometa.search import Result, Settings, load_model
from autometa.search.plan import search_space
from autometa.task import Columns, read_task
from autometa.task.vectors import vector_groups

HEADS = ("mahalanobis", "logistic", "ridge", "means")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Vectors of 24 numbers of three classes, whose directions tell, beside an age that tells a little."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.normal(size=(90, 24)) + 1.5 * rng.normal(size=(3, 24))[y] + 2.0
    x *= rng.uniform(0.2, 5, (90, 1))
    return pd.DataFrame({"emb": list(x), "age": rng.normal(size=90) + 0.3 * y, "kind": np.array(["a", "b", "c"])[y]})


@pytest.fixture(scope="module")
def run(table, tmp_path_factory) -> Result:
    """A search on a parquet file with a fixed-size list column."""
    folder = tmp_path_factory.mktemp("vectors")
    vectors = pa.FixedSizeListArray.from_arrays(np.stack(table["emb"]).ravel(), 24)
    columns = {"emb": vectors, "age": table["age"].to_numpy(), "kind": table["kind"].to_list()}
    pq.write_table(pa.table(columns), folder / "train.parquet")
    settings = Settings(trials=3, families=("few_shot", "linear"), cold=True, folds=2, store=str(folder / "store.db"))
    return fit_file(folder / "train.parquet", target="kind", settings=settings, run=folder / "run")


def test_columns_are_a_vector_by_their_names_and_survive_one_that_never_varies():
    names = [f"emb_{k}" for k in range(20) if k != 7]
    others = [f"q{k}" for k in range(20)]
    assert vector_groups([*reversed(names), *others]) == {"emb": tuple(names)}
    assert vector_groups([f"vec{k}" for k in (0, 1, 2, 300, 301, 302, 303, 304)]) == {}
    assert vector_groups(names[:4]) == {}


def test_vectors_in_cells_are_columns_however_they_arrive(table, tmp_path):
    task = make_task(table, target="kind")
    spread = pd.DataFrame(np.stack(table["emb"]), columns=[f"emb_{k}" for k in range(24)]).assign(
        age=table["age"], kind=table["kind"]
    )
    assert task.p == 25
    assert make_task(spread, target="kind").fingerprint == task.fingerprint
    spread.to_csv(tmp_path / "columns.csv", index=False)
    table.to_json(tmp_path / "lists.jsonl", orient="records", lines=True)
    for file in ("columns.csv", "lists.jsonl"):
        found = read_task(tmp_path / file, target="kind")
        assert found.p == 25
        assert any("emb (24 columns)" in note for note in found.notes)
    assert any("'emb' holds vectors" in note for note in task.notes)
    assert make_task(table, target="kind", drop=["emb"]).p == 1
    some = table.assign(emb=[None, *table["emb"][1:]])
    assert task.schema.apply(some)["emb_0"].isna().sum() == 1


def test_vectors_of_another_encoder_are_refused_and_lists_that_are_no_vectors_stay(table):
    schema = make_task(table, target="kind").schema
    for width in (16, 32):
        with pytest.raises(InputError, match=f"vectors of {width} numbers, which were 24 in training"):
            schema.apply(table.assign(emb=[np.zeros(width)] * 90))
        with pytest.raises(InputError, match="which were 24"):
            schema.apply_later(table.assign(emb=[np.zeros(width)] * 90), allow_missing=True)
    with pytest.raises(InputError, match="vectors of 5000 numbers; 4096 are the most"):
        make_task(table.assign(emb=[np.arange(5000.0)] * 90), target="kind")
    with pytest.raises(InputError, match="columns called emb_0"):
        make_task(table.assign(emb_0=1.0), target="kind")
    words = table.assign(emb=[["a", "b"], ["c"], ["a"]] * 30)
    assert make_task(words, target="kind").p == 2


def test_heads_are_in_a_search_where_there_are_vectors_and_nowhere_else(table):
    vectors, plain = make_task(table, target="kind"), make_task(table.drop(columns="emb"), target="kind")
    assert "few_shot" in search_space(vectors, Settings(trials=1))["family"].distribution.choices
    assert "few_shot" not in search_space(plain, Settings(trials=1))["family"].distribution.choices
    with pytest.raises(InputError, match="a column of lists, or emb_0"):
        search_space(plain, Settings(trials=1, families=("few_shot",)))
    genes = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 150)), columns=[f"gene {k}" for k in range(150)])
    assert suited(make_task(genes, y=np.arange(60) % 2), ["few_shot"]) == {}
    assert FAMILIES["few_shot"].limit(100_000, 4096, 10) is not None


@pytest.mark.parametrize("head", HEADS)
def test_a_head_tells_directions_apart_and_is_sure_of_what_it_knows(table, head):
    task = make_task(table, target="kind")
    config = cash_space("multiclass", ["few_shot"]).complete({"family": "few_shot", "few_shot.head": head})
    model = build(config, task.columns, "multiclass", n_rows=60, seed=0).fit(task.X[:60], task.y[:60])
    found = model.predict_proba(task.X[60:])
    assert (found.argmax(1) == task.y[60:]).mean() > 0.8
    assert -np.log(found[np.arange(30), task.y[60:]]).mean() < 0.5  # not by rank alone: a constant says 1.1
    missing = task.X[60:].assign(**{name: np.nan for name in task.X if name.startswith("emb")})
    assert model.predict_proba(missing).max(1).mean() < 0.8


def test_many_classes_share_a_covariance_and_a_class_of_one_row_breaks_nothing(monkeypatch, table):
    from autometa.families.learners import few_shot

    x = np.stack(table["emb"])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.append(np.arange(89) % 3, 3)
    own = FewShotHead(head="mahalanobis", strength=0.3, seed=0).fit(x, y).predict_proba(x)
    fewer = few_shot.OPTIONS.few_shot.__class__(most_covariances=1.0)
    monkeypatch.setattr(few_shot, "OPTIONS", type("O", (), {"few_shot": fewer}))
    shared = FewShotHead(head="mahalanobis", strength=0.3, seed=0).fit(x, y).predict_proba(x)
    for found in (own, shared):
        assert (found.argmax(1) == y).mean() > 0.85
        np.testing.assert_allclose(found.sum(1), 1.0)


def test_what_is_no_vector_stands_beside_it_as_long_as_one(table):
    frame = make_task(table, target="kind").X
    made = embedded(Columns(tuple(frame)), "multiclass", scale="length", categories="onehot", seed=0)
    found = made.fit(frame, np.arange(90) % 3).transform(frame)
    np.testing.assert_allclose(np.linalg.norm(found[:, :24], axis=1), 1.0)
    assert abs((found[:, 24] ** 2).mean() - 1.0) < 0.05


def test_a_search_on_vectors_has_heads_in_its_board_and_memory_and_predicts_lists(run, table, tmp_path, capsys):
    first = run.trials[0].evaluation  # what nothing in the memory recommends is tried first
    assert (first.config["few_shot.head"], str(first.origin)) == ("mahalanobis", "default")
    answers = load_model(run.model).predict(table.drop(columns="kind"))
    assert (answers == table["kind"].to_numpy()).mean() > 0.8
    pq.write_table(pa.Table.from_pandas(table.drop(columns="kind")[:6]), tmp_path / "new.parquet")
    assert main(["predict", str(run.run), str(tmp_path / "new.parquet"), "--out", str(tmp_path / "out.csv")]) == 0
    assert pd.read_csv(tmp_path / "out.csv").iloc[:, 0].tolist() == answers[:6].tolist()
    pd.DataFrame({"emb": [[1.0, 2.0]] * 3, "age": 1.0}).to_json(tmp_path / "bad.jsonl", orient="records", lines=True)
    assert main(["predict", str(run.run), str(tmp_path / "bad.jsonl")]) == 2
    assert "vectors of 2 numbers, which were 24 in training" in capsys.readouterr().err


@pytest.mark.parametrize("head", ["mahalanobis", "ridge", "means"])
def test_of_one_row_a_class_a_head_is_neither_sure_nor_undecided(table, head):
    x = np.stack(table["emb"]) - np.stack(table["emb"]).mean(0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.arange(90) % 3
    found = FewShotHead(head=head, strength=0.3, seed=0).fit(x[:3], y[:3]).predict_proba(x[3:])
    assert (found.argmax(1) == y[3:]).mean() > 0.6
    assert -np.log(found[np.arange(87), y[3:]]).mean() < 1.0  # a constant says 1.1
