"""The campaign counts honestly: what kills it was not survived, what was done is not done again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from autometa.bench.results import append, read_lines

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def campaign(monkeypatch):
    """The program as a module, found as it finds its own."""
    monkeypatch.syspath_prepend(TESTS)
    from faults import campaign

    return campaign


def line(kind: str, case: str, verdict: str) -> dict[str, str]:
    return {"kind": kind, "case": case, "revision": "r", "verdict": verdict}


def test_it_goes_on_where_it_stopped_with_other_faults(tmp_path):
    command = [sys.executable, "-m", "faults.campaign", "--only", "store", "row", "--most", "3", "--minutes", "60"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH")]))}
    for _ in range(2):
        done = subprocess.run(
            [*command, "--results", str(tmp_path / "faults.jsonl")],
            cwd=TESTS, capture_output=True, text=True, timeout=600, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    judged = [entry for entry in read_lines(tmp_path / "faults.jsonl") if entry["verdict"] != "begun"]
    assert len({(entry["kind"], entry["case"]) for entry in judged}) == len(judged) == 6
    assert {entry["verdict"] for entry in judged} <= {"named", "harmless"}


def test_the_fault_at_which_a_worker_dies_was_not_survived_and_the_next_goes_on(campaign, tmp_path, monkeypatch):
    results, codes = tmp_path / "faults.jsonl", [-11, 0]

    class Worker:
        def __init__(self, command, **how):
            append(results, line("table", f"case {len(codes)}", campaign.BEGUN))
            if len(codes) == 1:
                append(results, line("table", "case 1", "named"))

        def wait(self):
            return codes.pop(0)

    monkeypatch.setattr(campaign.subprocess, "Popen", Worker)
    campaign.supervise(Namespace(minutes=60, results=results, again=False))
    assert [entry["verdict"] for entry in campaign.latest(read_lines(results)).values()] == [
        "the process died: -11",
        "named",
    ]


def test_a_fault_that_raises_is_told_with_what_it_raised(campaign):
    def judge() -> str:
        json.loads("{")
        return "named"

    assert campaign.judged(Namespace(judge=judge)).startswith("foreign: JSONDecodeError")
    assert campaign.judged(Namespace(judge=lambda: "named")) == "named"


def test_the_table_counts_what_was_mended_since(campaign):
    lines = [
        line("table", "a", campaign.BEGUN),
        line("table", "a", "foreign: KeyError"),
        line("table", "b", "named"),
        line("store", "c", "harmless"),
        line("table", "a", "named"),
        line("store", "d", "silently other values"),
        line("store", "e", campaign.BEGUN),
    ]
    text = campaign.table(lines)
    assert "| a table damaged, in every format | 2 | 1 | 0 |" in text
    assert "| the file of a store damaged | 2 | 1 | 1 |" in text
    assert "| all | **4** | **2** | **1** |" in text
