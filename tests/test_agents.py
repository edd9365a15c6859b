"""What an agent may ask: the tools themselves, and a real client of the official SDK over standard input and output."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autometa.agents import TOOLS, Agent
from autometa.cli import main
from autometa.errors import InputError, RunError

SECONDS = 300


def a_table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    frame["label"] = np.where(frame["a"] + rng.normal(size=120) > 0, "yes", "no")
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def until_done(agent: Agent, run: str) -> dict[str, Any]:
    until = time.monotonic() + SECONDS
    while (told := agent.status(run))["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.1)
    return told


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Agent, str]:
    """An agent that has fitted, and its run."""
    folder = tmp_path_factory.mktemp("agents")
    agent = Agent(str(folder / "store.db"))
    told = agent.fit(str(a_table(folder)), trials=1, families="linear", run=str(folder / "run"))
    assert told["state"] == "running"
    assert any("Target" in note for note in told["notes"])
    assert until_done(agent, told["run"])["state"] == "finished"
    return agent, told["run"]


def test_status_tells_what_was_found(finished: tuple[Agent, str]) -> None:
    agent, run = finished
    told = agent.status(run)
    assert told["metric"] == "ROC AUC"
    assert told["complete"] == 1
    assert told["leaderboard"][0]["family"] == "linear"
    assert told["summary"]["target"] == "label"
    assert json.dumps(told)  # as JSON has it


def test_what_was_fitted_is_remembered(finished: tuple[Agent, str], tmp_path: Path) -> None:
    agent, _ = finished
    assert agent.memory()["tasks"] == Agent(str(tmp_path / "empty.db")).memory()["tasks"] + 1


def test_answers_are_those_of_the_model(finished: tuple[Agent, str], tmp_path: Path) -> None:
    from autometa.search import load_model

    agent, run = finished
    table = a_table(tmp_path)
    frame = pd.read_csv(table).drop(columns="label")
    expected = load_model(run).predict(frame).tolist()
    rows = json.loads(frame.head(3).to_json(orient="records"))
    assert [one["prediction"] for one in agent.predict(run, rows=rows)["predictions"]] == expected[:3]
    told = agent.predict(run, data=str(table), proba=True)
    assert [one["prediction"] for one in told["predictions"]] == expected[:100]
    assert told["more"] == 20
    written = agent.predict(run, data=str(table), out=str(tmp_path / "out.csv"))
    assert written["rows"] == 120
    assert pd.read_csv(tmp_path / "out.csv")["prediction"].tolist() == expected


def test_explanations_add_up_and_name_the_columns(finished: tuple[Agent, str]) -> None:
    agent, run = finished
    assert agent.explain(run)["columns"][0]["column"] == "a"
    told = agent.explain(run, rows=[{"a": 2.0, "b": 0.0, "c": 0.0}])["explanations"][0]
    assert told["base"] + sum(told["contributions"].values()) == pytest.approx(told["answer"])


def test_the_memory_is_asked_without_fitting(finished: tuple[Agent, str], tmp_path: Path) -> None:
    told = Agent().recommend(str(a_table(tmp_path)), n=3)
    assert (told["target"], told["rows"], told["metric"]) == ("label", 120, "roc_auc")
    assert len(told["recommendations"]) == 3
    assert all(one["reason"] for one in told["recommendations"])
    assert told["similar_past_tasks"]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "table.csv"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda agent, folder: agent.fit(str(folder / "none.csv")), InputError, "none.csv"),
        (lambda agent, folder: agent.fit(str(folder / "table.csv"), time="soon"), InputError, "is not a time"),
        (lambda agent, folder: agent.fit(str(folder / "table.csv"), target="x"), InputError, "no column 'x'"),
        (lambda agent, folder: agent.fit(str(folder / "table.csv"), families="tree"), InputError, "tree"),
        (lambda agent, folder: agent.recommend("https://a.example/b.csv"), InputError, "download"),
        (lambda agent, folder: agent.recommend(str(folder / "table.csv"), metric="acuracy"), InputError, "accuracy"),
        (lambda agent, folder: agent.status(str(folder)), RunError, "is not a run"),
        (lambda agent, folder: agent.predict(str(folder), rows=[]), RunError, ""),
        (lambda agent, folder: agent.predict(str(folder)), InputError, "takes rows, or data"),
        (lambda agent, folder: agent.explain(str(folder)), RunError, "is not a run"),
    ],
    ids=list("abcdefghij"),
)
def test_what_cannot_be_done_is_said(call: Any, error: type[Exception], words: str, tmp_path: Path) -> None:
    a_table(tmp_path)
    agent = Agent()
    with pytest.raises(error) as told:
        call(agent, tmp_path)
    assert words in str(told.value)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "table.csv"]  # and nothing was written


def test_columns_that_rows_lack_are_all_named(finished: tuple[Agent, str]) -> None:
    agent, run = finished
    with pytest.raises(InputError) as told:
        agent.predict(run, rows=[{"b": 1.0}])
    assert len(told.value.problems) == 2


def test_without_the_extra_one_message_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mcp" else there(name))
    assert main(["mcp"]) == 2
    assert (
        capsys.readouterr().err == "autometa: mcp: needs mcp, which is not installed. pip install 'autometa-ml[mcp]'.\n"
    )


def test_a_client_of_the_official_sdk_asks_before_it_trains(tmp_path: Path) -> None:
    mcp = pytest.importorskip("mcp", reason="needs the extra mcp")
    table = str(a_table(tmp_path))

    async def talk() -> None:
        environment = {**os.environ, "AUTOMETA_STORE": str(tmp_path / "store.db")}
        words = ["-W", "error::ImportWarning", "-m", "autometa", "mcp"]
        server = mcp.StdioServerParameters(command=sys.executable, args=words, env=environment, cwd=str(tmp_path))
        async with mcp.Client(server, read_timeout_seconds=SECONDS) as client:

            async def ask(name: str, **given: Any) -> dict[str, Any]:
                told = await client.call_tool(name, given)
                assert not told.is_error, told.content
                return told.structured_content

            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tuple(tools) == TOOLS
            assert tools["fit"].input_schema["required"] == ["data"]
            assert "worked on similar past tasks" in tools["recommend"].description
            assert tools["recommend"].annotations.read_only_hint
            assert len((await ask("recommend", data=table, n=2))["recommendations"]) == 2
            run = (await ask("fit", data=table, trials=1, families="linear"))["run"]
            while (told := await ask("status", run=run))["state"] == "running":
                await asyncio.sleep(0.1)
            assert told["summary"]["best"]["family"] == "linear"
            assert (await ask("predict", run=run, rows=[{"a": 3.0, "b": 0, "c": 0}]))["predictions"][0]["prediction"]
            assert (await ask("explain", run=run))["columns"]
            assert (await ask("memory"))["tasks"] > 0
            wrong = await client.call_tool("fit", {"data": table, "target": "lable", "time": "1s"})
            assert wrong.is_error
            assert "Did you mean 'label'?" in wrong.content[0].text

    asyncio.run(asyncio.wait_for(talk(), SECONDS))
