"""A store with data, as each older version wrote it, keeps them all when it is stepped forward, on either database."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from autometa.errors import StoreError
from autometa.store import MetaStore
from autometa.store.schema import READABLE, SCHEMA, take_steps, version

from ..fixtures.stores import METRICS, evaluations, records
from ..test_store import texts

BEFORE = Path(__file__).parents[1] / "fixtures" / "before"
SCHEMAS = [
    path.name.split("_")[0] for path in sorted((BEFORE.parents[2] / "meta_db/migrations/versions").glob("0*.py"))
]


@pytest.fixture(params=SCHEMAS)
def older(request: pytest.FixtureRequest, new_url) -> str:
    """The URL of a store that an older version filled; on PostgreSQL the same rows."""
    url, file = new_url(), BEFORE / f"store-{request.param}.db"
    if not url.startswith("postgresql"):
        Path(url).parent.mkdir(parents=True)
        shutil.copy(file, url)
        return url
    engine = MetaStore(url)._database._writer
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as source, engine.begin() as connection:
        take_steps(connection, request.param)
        for name in ("autometa_task", "autometa_block"):
            cursor = source.execute(f"SELECT * FROM {name}")
            names = [column[0] for column in cursor.description]
            table = sa.table(name, *map(sa.column, names))
            connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in cursor])
    return url


def facts(store: MetaStore) -> list[str]:
    """Everything that it says, as text, in which NaN equals itself."""
    found = []
    for record in store.tasks(space=None):
        seen = record.metafeatures and (record.metafeatures.names, record.metafeatures.values.tolist())
        told = sorted(texts(store.evaluations(record.fingerprint, record.space)))
        found.append(repr((replace(record, metafeatures=None), seen, told)))
    return found


def expected() -> list[str]:
    found = []
    for record in sorted(records(), key=lambda record: (record.fingerprint, record.space)):
        seen = record.metafeatures and (record.metafeatures.names, record.metafeatures.values.tolist())
        found.append(repr((replace(record, metafeatures=None), seen, sorted(texts(evaluations(record))))))
    return found


def test_every_schema_keeps_all_its_data(older, tmp_path):
    store = MetaStore(older)
    assert facts(store) == expected()  # by reading
    more = replace(records()[0], fingerprint="e" * 32)
    assert store.add(more, evaluations(more)) == 12  # by writing
    with store._database.reading() as connection:
        assert connection.scalar(sa.select(version.c.version_num)) == SCHEMA
    assert [fact for fact in facts(store) if "e" * 32 not in fact] == expected()
    assert store.verify() == []
    assert store.add(records()[0], evaluations(records()[0])) == 0  # it is known


def test_what_learns_reads_the_same_of_every_schema(older, tmp_path):
    new = MetaStore(tmp_path / "new.db")
    for record in records():
        new.add(record, evaluations(record))
    for kind, metric in METRICS.items():
        found, wanted = (store.past(kind=kind, metric=metric) for store in (MetaStore(older), new))
        assert found.configs == wanted.configs
        assert json.dumps(found.scores.tolist()) == json.dumps(wanted.scores.tolist())
        assert len(found.configs) > 5


def test_every_schema_is_exported_imported_and_merged(older, tmp_path):
    MetaStore(older).export(tmp_path / "export")
    for k, take in enumerate((lambda s: s.import_(tmp_path / "export"), lambda s: s.merge(MetaStore(older)))):
        store = MetaStore(tmp_path / f"{k}.db")
        assert take(store) == 48
        assert facts(store) == expected()
        assert store.verify() == []


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_store_that_must_not_be_written_is_read_where_it_can_be_and_else_left_as_it_is(schema, tmp_path):
    path = Path(shutil.copy(BEFORE / f"store-{schema}.db", tmp_path / "store.db"))
    before, store = path.read_bytes(), MetaStore(path, read_only=True)
    if schema in (SCHEMA, *READABLE):
        assert facts(store) == expected()
    else:
        with pytest.raises(StoreError, match="older schema"):
            store.tasks()
    assert path.read_bytes() == before
