"""A model as a web service: a real client over a real socket, a real browser, and everything that strangers send."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import Browser

from autometa.cli import main
from autometa.explain.shapley import background_of
from autometa.fitting import fit_table
from autometa.search import Settings, load_model, open_run

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")

from autometa.serve import Service
from autometa.serve.columns import fields_of

SECONDS = 120  # that a service may take to begin, or to end: the machine may be busy


def a_table(n: int = 160) -> pd.DataFrame:
    """Numbers, categories with hostile names, dates and texts."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "<b>town</b>": rng.choice(["Ulm", "<i>Bern</i>", "Graz"], n),
            "since": pd.date_range("2019-01-01", periods=n).astype(str),
            "income": rng.normal(40_000, 9_000, n).round(2),
        }
    )
    frame.loc[::9, "income"] = np.nan
    return frame


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = a_table()
    y = np.where(frame["age"] + 8 * np.random.default_rng(1).normal(size=len(frame)) > 48, "yes", "no")
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    return fit_table(frame, y, settings=settings, run=tmp_path_factory.mktemp("served") / "run").run


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = a_table()
    y = frame["age"].to_numpy() * 3.0 + np.random.default_rng(1).normal(size=len(frame))
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    return fit_table(frame, y, settings=settings, run=tmp_path_factory.mktemp("served") / "run").run


@dataclass
class Heard:
    """An answer: status, headers, text."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problems(self) -> list[str]:
        assert self.headers["Content-Type"] == "application/json"
        return [" ".join((one["where"], one["what"], one["fix"])) for one in self.json["error"]]


@dataclass
class Client:
    """Asks a service, as anybody would."""

    url: str
    process: subprocess.Popen[str]

    def ask(self, path: str, body: Any = None, kind: str = "application/json", **headers: str) -> Heard:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {} if data is None else {"Content-Type": kind}
        request = urllib.request.Request(self.url + path, data, given)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SECONDS) as answer:
                return Heard(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Heard(error.code, error.headers, error.read().decode())


@contextlib.contextmanager
def serving(*arguments: str | Path, **environment: str) -> Iterator[Client]:
    """``autometa serve`` in a process of its own, at any free port, until the block ends."""
    words = [sys.executable, "-m", "autometa", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()  # it is written when the service hears
        assert url.startswith("http"), process.stderr.read() if process.stderr else ""
        yield Client(url.split("?")[0], process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[Client]:
    with serving(run, "--max-rows", "200", "--max-body", "40kB") as found:
        yield found


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(frame.to_json(orient="records"))


# ------------------------------------------------------------------------------------------------------------- answers


def test_rows_in_json_and_csv_are_answered_as_the_model_answers_them(client: Client, run: Path) -> None:
    frame, model = a_table().head(7), load_model(run)
    told = client.ask("predict?proba=true", rows_of(frame))
    assert told.status == 200
    assert told.json["target"] == model.target
    assert [one["prediction"] for one in told.json["predictions"]] == model.predict(frame).tolist()
    proba = [[one[f"proba_{label}"] for label in model.classes] for one in told.json["predictions"]]
    np.testing.assert_allclose(proba, model.predict_proba(frame), atol=1e-12)
    csv = frame.to_csv(index=False).encode()
    text = client.ask("predict?proba=1", csv, "text/csv; charset=utf-8")
    assert text.headers["Content-Type"].startswith("text/csv")
    again = pd.read_csv(io.StringIO(text.text))
    np.testing.assert_allclose(again.iloc[:, 1:].to_numpy(), proba, atol=1e-12)
    as_json = client.ask("predict", csv, "text/csv", Accept="application/json")
    assert [one["prediction"] for one in as_json.json["predictions"]] == again["prediction"].tolist()


def test_one_row_need_not_be_a_list_and_no_row_has_no_answer(client: Client) -> None:
    row = rows_of(a_table().head(1))[0]
    assert client.ask("predict", row).json["rows"] == 1
    assert client.ask("predict", []).json == {"target": "target", "rows": 0, "predictions": [], "notes": []}
    header = (",".join(row) + "\n").encode()
    assert client.ask("predict", header, "text/csv").text == "prediction\n"


def test_intervals_sets_and_thresholds_are_had_by_parameters(client: Client, run: Path, regression: Path) -> None:
    rows = rows_of(a_table().head(5))
    told = client.ask("predict?interval=0.9&threshold=0.999", rows).json["predictions"]
    assert all(isinstance(one["prediction_set"], list) for one in told)
    model = load_model(run)
    assert model.classes[model.positive] not in {one["prediction"] for one in told}  # which needs 0.999
    found = Service.open(regression).predict(json.dumps(rows).encode(), "json", {"interval": "90%"}).records()
    assert all(one["lower"] < one["prediction"] < one["upper"] for one in found)


def test_contributions_add_up_to_the_answer(client: Client, run: Path) -> None:
    frame, model = a_table().head(2), load_model(run)
    told = client.ask("explain", rows_of(frame)).json["explanations"]
    for one, probability in zip(told, model.predict_proba(frame)[:, model.positive], strict=True):
        assert one["explained"] == str(model.classes[model.positive])
        assert one["base"] + sum(one["contributions"].values()) == pytest.approx(probability)
    text = client.ask("explain", frame.to_csv(index=False).encode(), "text/csv").text
    assert "shap_age" in text.splitlines()[0]


def test_health_says_what_is_served(client: Client) -> None:
    told = client.ask("health")
    assert told.status == 200
    assert told.json["status"] == "ok"
    assert told.json["columns"] == a_table().columns.tolist()
    assert told.json["classes"] == ["no", "yes"]
    with urllib.request.urlopen(
        urllib.request.Request(client.url + "health", method="HEAD"), timeout=SECONDS
    ) as answer:
        assert (answer.status, answer.read()) == (200, b"")


def test_openapi_names_every_column_and_parameter(client: Client) -> None:
    document = client.ask("openapi.json").json
    operation = document["paths"]["/predict"]["post"]
    content = operation["requestBody"]["content"]
    row = content["application/json"]["schema"]["anyOf"][1]
    assert row["required"] == a_table().columns.tolist()
    assert row["properties"]["<b>town</b>"]["examples"] == ["<i>Bern</i>", "Graz", "Ulm"]
    assert {one["name"] for one in operation["parameters"]} == {
        "proba", "threshold", "interval", "by", "allow_missing"
    }  # fmt: skip
    assert client.ask("predict", content["application/json"]["example"]).status == 200  # what it shows is answered
    assert {"200", "401", "413", "415", "422"} <= set(operation["responses"])


def test_what_cannot_be_read_as_it_was_learned_is_told_beside_the_answer(client: Client) -> None:
    frame = a_table().head(2).assign(**{"<b>town</b>": "Paris"})
    told = client.ask("predict", rows_of(frame))
    assert told.status == 200
    assert "never saw ('Paris')" in told.json["notes"][0]
    text = client.ask("predict", frame.to_csv(index=False).encode(), "text/csv")
    assert "never saw" in json.loads(text.headers["AutoMeta-Notes"])[0]


# --------------------------------------------------------------------------------------------------- what is refused


def test_everything_that_is_wrong_is_said_at_once_as_the_command_line_says_it(
    client: Client, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = client.ask("predict?probs=1&interval=2", [{"ag": 30, "income": 1.0}])
    assert told.status == 422
    assert len(told.problems) == 5
    assert "Did you mean 'proba'?" in told.problems[0]
    assert told.problems[1].startswith("interval 2 is not a number between 0 and 1")
    (tmp_path / "new.csv").write_text("ag,income\n30,1\n")
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--json"]) == 2
    lines = json.loads(capsys.readouterr().out)["error"]
    assert [(one["what"], one["fix"]) for one in told.json["error"][2:]] == [(one["what"], one["fix"]) for one in lines]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b"null", "is null and no rows"),
        (b"3", "is a number and no rows"),
        (b'"age"', "is a text and no rows"),
        (b"[" * 5000, "is nested too deep"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1]", "row 1 is a number"),
        (b'[{"age": [1]}]', "'age' holds a list"),
        (b'[{"age": 1, "age": 2, "income": 1, "<b>town</b>": "Ulm", "since": "2019-01-02"}]', "stands twice"),
        (b'[{"age": 1, "income": 1, "<b>town</b>": "Ulm", "since": "2019-01-02"}, {"age": 1}]', "row 2 lacks"),
    ],
)
def test_what_is_no_rows_is_refused_in_a_sentence(client: Client, body: bytes, words: str) -> None:
    told = client.ask("predict", body)
    assert told.status == 422
    assert words in told.problems[0]


def test_a_column_of_which_no_cell_can_be_read_is_refused_unless_that_is_allowed(client: Client) -> None:
    frame = a_table().head(2).assign(age="old")
    told = client.ask("predict", rows_of(frame))
    assert told.status == 422
    assert "'age'" in told.problems[0]
    assert "?allow_missing=true" in told.problems[0]
    assert client.ask("predict?allow_missing=true", rows_of(frame)).status == 200


def test_broken_tables_are_refused_by_line(client: Client) -> None:
    told = client.ask("predict", b"age,income\n1,2\n3,4,5\n", "text/csv")
    assert told.status == 422
    assert "line 3 has 3" in told.problems[0]


def test_too_much_is_refused(client: Client) -> None:
    many = pd.concat([a_table().head(1)] * 201)
    told = client.ask("predict", many.to_csv(index=False).encode(), "text/csv")
    assert told.status == 413
    assert "has 201 rows, and a request may have 200" in told.problems[0]
    assert client.ask("explain", many.head(101).to_csv(index=False).encode(), "text/csv").status == 413
    large = client.ask("predict", b" " * 40_001)
    assert large.status == 413
    assert "is larger than 40,000 bytes" in large.problems[0]


def test_a_body_without_a_length_is_read_as_far_as_it_may_go(client: Client) -> None:
    host, port = client.url.removeprefix("http://").strip("/").split(":")
    lines = ["POST /predict HTTP/1.1", f"Host: {host}:{port}", "Content-Type: text/csv", "Transfer-Encoding: chunked"]
    head = "\r\n".join([*lines, "", ""])
    chunk = b"2710\r\n" + b"a" * 10_000 + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=SECONDS) as there:
        there.sendall(head.encode() + chunk * 5)
        assert there.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_client_that_goes_away_does_no_harm(run: Path) -> None:
    with serving(run) as client:
        host, port = client.url.removeprefix("http://").strip("/").split(":")
        lines = ["POST /predict HTTP/1.1", f"Host: {host}:{port}", "Content-Type: text/csv", "Content-Length: 1000"]
        with socket.create_connection((host, int(port)), timeout=SECONDS) as there:
            there.sendall("\r\n".join([*lines, "", "age"]).encode())
        assert client.ask("health").status == 200
        client.process.terminate()
        _, err = client.process.communicate(timeout=SECONDS)
        assert "Traceback" not in err


def test_letters_that_are_halves_are_no_fault_of_the_service(client: Client) -> None:
    told = client.ask("predict", b'[{"\\ud800": [1], "age": "\\udfff"}]')
    assert told.status == 422
    assert client.ask("predict?by=%ff&%ed%a0%80=1", [{"a": "\ud800"}]).status == 422


def test_other_paths_methods_and_types_are_refused_in_the_same_form(client: Client) -> None:
    assert client.ask("nothing").status == 404
    assert "POST /predict" in client.ask("nothing").problems[0]
    assert client.ask("predict").status == 405
    told = client.ask("predict", b"a=1", "application/x-www-form-urlencoded")
    assert told.status == 415
    assert "text/csv" in told.problems[0]


def test_a_page_whose_name_was_made_to_lead_here_is_not_heard(client: Client) -> None:
    assert client.ask("health", Host="evil.example").status == 421
    assert client.ask("predict", [], Host="evil.example:80").status == 421


def test_with_a_token_nobody_else_is_heard(run: Path) -> None:
    with serving(run, "--token", AUTOMETA_TOKEN="söcret") as client:
        rows = rows_of(a_table().head(1))
        assert client.ask("health").status == 200  # what watches over it needs no secret
        assert "is missing" in client.ask("predict", rows).problems[0]
        assert "is wrong" in client.ask("predict", rows, Authorization="Bearer other").problems[0]
        assert client.ask("predict", rows, Authorization="Bearer s\xc3\xb6cret").status in (200, 401)
        assert client.ask("").status == 401
        assert client.ask("?token=s%C3%B6cret").status == 200


# ---------------------------------------------------------------------------------------------------------- its life


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_good_order(run: Path, number: int) -> None:
    with serving(run) as client:
        began = time.monotonic()
        client.process.send_signal(number)
        _, err = client.process.communicate(timeout=SECONDS)
        assert client.process.returncode == 0, err
        assert time.monotonic() - began < SECONDS
        assert err.splitlines()[-1] == "autometa: ended."
        assert "Traceback" not in err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["serve", *arguments])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return code, shown.err


def test_what_cannot_be_served_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, err = refused(capsys, str(run), "--port", port)
    assert code == 2
    assert f"--port {port}: is in use by another program" in err
    code, err = refused(capsys, str(run), "--port", "http", "--max-rows", "0", "--max-body", "x")
    assert code == 2
    assert len(err.splitlines()) == 3
    assert refused(capsys, str(run), "--port", "70000")[0] == 2
    assert "no address of this machine" in refused(capsys, str(run), "--host", "203.0.113.7", "--port", "0")[1]
    code, err = refused(capsys, str(tmp_path / "nothing"), "--port", "0")
    assert code == 3
    assert "does not exist" in err


def test_a_run_that_is_not_finished_says_what_finishes_it(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "run.json").write_bytes((run / "run.json").read_bytes())
    code, err = refused(capsys, str(tmp_path / "half"), "--port", "0")
    assert code == 3
    assert "autometa resume" in err


def test_without_the_extra_one_message_says_what_to_install(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else there(name))
    code, err = refused(capsys, str(run))
    assert code == 2
    assert err == "autometa: serve: needs uvicorn, which is not installed. pip install 'autometa-ml[serve]'.\n"


def test_a_model_file_alone_predicts_and_says_why_it_does_not_explain(run: Path) -> None:
    service = Service.open(run / "model.pkl")
    body = json.dumps(rows_of(a_table().head(1))).encode()
    assert len(service.predict(body, "json", {}).table) == 1
    with pytest.raises(ValueError, match="Serve the folder of the run"):
        service.explain(body, "json", {})


def test_what_stands_in_as_an_example_is_no_row_of_the_table(run: Path) -> None:
    model, task = load_model(run), open_run(run).task
    example = pd.DataFrame([{one.name: one.example for one in fields_of(model)}])
    typed = model.schema.apply(example)
    assert not (task.X[list(typed)] == typed.iloc[0]).all(axis=1).any()
    assert len(background_of(task))


# --------------------------------------------------------------------------------------------------------- in a browser


def test_a_person_tries_it_by_hand(client: Client, tmp_path: Path) -> None:
    with Browser(tmp_path) as browser:
        page = browser.open(client.url)
        set_age = "document.querySelector('[name=age]').value = '%s'; document.getElementById('predict').click()"
        page.evaluate(set_age % 79)
        assert page.until("document.querySelector('#answer b')?.textContent") == "yes"
        page.evaluate(set_age % 19)
        page.until("document.querySelector('#answer b').textContent === 'no'")
        assert page.evaluate("document.querySelectorAll('#answer .bars span').length") == 6  # both classes
        page.evaluate("document.getElementById('why').click()")
        page.until("document.querySelector('#answer p')?.textContent.includes('the probability of no')")
        page.evaluate("document.getElementById('proba').click(); document.querySelector('#table button').click()")
        page.until("document.querySelectorAll('#answers td').length === 4")
        saved = page.evaluate("fetch(document.querySelector('#answers a').href).then((r) => r.text(), () => 'refused')")
        assert saved.startswith(("prediction,", "refused"))
        page.evaluate("document.getElementById('csv').value = 'x\\n1\\n'")
        page.evaluate("document.querySelector('#table button').click()")
        wrong = page.until("document.querySelector('#answers .wrong')?.innerText")
        assert wrong.count("no column") == 4
        assert page.evaluate("document.querySelectorAll('i > *, b > b').length") == 0  # no name became markup
        assert all(one.startswith((client.url, "blob:")) for one in page.requests)
        quiet = [one for one in page.complaints if "422" not in one and "blob:" not in one]
        assert quiet == []
        phone = browser.open(client.url, width=390)
        assert phone.is_whole()
        assert page.is_whole()
