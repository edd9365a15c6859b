"""Linear algebra on one thread while transfer calculates, and on as many as before afterwards."""

from __future__ import annotations

import threading

import pytest
from threadpoolctl import ThreadpoolController

from autometa.transfer.threads import _libraries, one_thread


def threads() -> list[int]:
    """Of every library of linear algebra."""
    _libraries()
    return [library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()]


@pytest.fixture(autouse=True)
def two_threads():
    """The tests themselves run with one thread each."""
    with ThreadpoolController().select(user_api="blas").limit(limits=2):
        yield


def test_inside_there_is_one_thread_and_outside_as_many_as_before():
    before = threads()
    with one_thread():
        assert set(threads()) == {1}
        with one_thread():
            pass
        assert set(threads()) == {1}
    assert threads() == before


def test_an_error_inside_leaves_as_many_as_before():
    before = threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert threads() == before


def test_another_thread_changes_nothing():
    before, during = threads(), []

    def other() -> None:
        with one_thread():
            during.extend(threads())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert during == threads() == before
