"""A model of images, or of texts, as a web service and for agents: what is sent is encoded as in training."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="needs the extra fewshot")

from autometa.agents import Agent
from autometa.errors import InputError
from autometa.fewshot.embedded import later
from autometa.fewshot.encoding import default_cache
from autometa.fitting import fit_file
from autometa.search import Settings, load_model
from autometa.serve import Service

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")
SETTINGS = Settings(trials=1, families=("few_shot",), cold=True, remember=False)


def picture(kind: int, seed: int) -> Any:
    """A grey picture: stripes that lie, stand or cross, with noise."""
    rng = np.random.default_rng(seed)
    across, down = np.indices((32, 32)) // 4 % 2
    pixels = (across, down, across ^ down)[kind] * 180 + rng.integers(0, 60, (32, 32))
    return Image.fromarray(pixels.astype(np.uint8))


def a_folder(folder: Path, n: int = 8) -> Path:
    for kind, name in enumerate(("lying", "standing", "crossed")):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            picture(kind, 100 * kind + i).save(folder / name / f"{i}.png")
    return folder


def file_of(kind: int, seed: int = 999, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture(kind, seed).save(out, form)
    return out.getvalue()


def sent(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    return fit_file(a_folder(folder / "data"), settings=SETTINGS, run=folder / "run").run


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a table with a path of an image and a number in each row; the class needs both."""
    folder = tmp_path_factory.mktemp("mixed")
    a_folder(folder)
    files = sorted(file for name in ("lying", "standing") for file in (folder / name).iterdir())
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"photo": [str(file.relative_to(folder)) for file in files], "age": rng.normal(size=16)})
    frame["label"] = [file.parent.name for file in files]
    frame.to_csv(folder / "table.csv", index=False)
    return fit_file(folder / "table.csv", settings=SETTINGS, run=folder / "run").run


@pytest.fixture(scope="module")
def service(run: Path) -> Service:
    return Service.open(run)


def answers(service: Service, rows: Any, **query: str) -> list[dict[str, Any]]:
    return service.predict(json.dumps(rows).encode(), "json", query).records()


def refused(service: Service, body: Any, kind: str = "json") -> list[str]:
    with pytest.raises(InputError) as found:
        service.predict(body if isinstance(body, bytes) else json.dumps(body).encode(), kind, {})
    return [str(one) for one in found.value.problems]


# ------------------------------------------------------------------------------------------------------------- answers


def test_images_in_base64_are_answered_as_those_of_a_folder(service: Service, run: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for kind in range(3):
        (tmp_path / "new" / f"{kind}.png").write_bytes(file_of(kind))
    model = load_model(run)
    expected = model.predict_proba(later(model.schema.encoder, tmp_path / "new"))
    found = answers(service, [{"image": sent(file_of(kind))} for kind in range(3)], proba="true")
    np.testing.assert_allclose([[one[f"proba_{c}"] for c in model.classes] for one in found], expected, atol=1e-12)
    assert [one["prediction"] for one in found] == ["lying", "standing", "crossed"]


def test_the_same_image_is_answered_alike_however_it_comes(service: Service) -> None:
    content = file_of(1)
    form = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + content + b"\r\n--b--\r\n"
    expected = answers(service, {"image": sent(content)}, proba="1")
    assert answers(service, [{"image": f"data:image/png;base64,{sent(content)}"}], proba="1") == expected
    csv = f"image\n{sent(content)}\n".encode()
    for body, kind in ((content, "image/png"), (form, 'multipart/form-data; boundary="b"'), (csv, "csv")):
        assert service.predict(body, kind, {"proba": "1"}).records() == expected
    assert answers(service, []) == []


def test_columns_beside_the_image_are_asked_for_and_counted(mixed: Path) -> None:
    service = Service.open(mixed)
    assert [field.name for field in service.fields] == ["photo", "age"]
    both = [{"photo": sent(file_of(1)), "age": 0.5}, {"photo": sent(file_of(0)), "age": -1}]
    assert [one["prediction"] for one in answers(service, both)] == ["standing", "lying"]
    head = "--b\r\nContent-Disposition: form-data; name="
    form = f'{head}"age"\r\n\r\n0.5\r\n{head}"photo"; filename="x"\r\n\r\n'.encode() + file_of(1) + b"\r\n--b--"
    assert service.predict(form, "multipart/form-data; boundary=b", {}).records() == answers(service, both[:1])
    assert any("'age'" in one for one in refused(service, {"photo": sent(file_of(1))}))
    assert any("'photo'" in one for one in refused(service, {"age": 3}))
    twice = form.replace(b"--b--", f'{head}"age"\r\n\r\n1\r\n--b--'.encode())
    assert refused(service, twice, "multipart/form-data; boundary=b")[0].startswith(
        "field age: comes 2 times, and there are 1 images"
    )


def test_texts_are_encoded_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = {"sea": ("wave", "ship", "salt", "harbour"), "hill": ("rock", "goat", "snow", "ridge")}
    rows = [(" ".join(rng.choice(some, 6)), label) for label, some in words.items() for _ in range(10)]
    pd.DataFrame(rows, columns=["note", "label"]).to_csv(tmp_path / "t.csv", index=False)
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    made = fit_file(tmp_path / "t.csv", encoder="builtin", settings=settings, run=tmp_path / "run")
    service = Service.open(made.run)
    assert [(field.name, field.holds) for field in service.fields] == [("note", "text")]
    found = answers(service, [{"note": "a goat on a snow ridge"}, {"note": "ship wave salt"}])
    assert [one["prediction"] for one in found] == ["hill", "sea"]
    assert service.about()["takes"] == "texts"


def test_nothing_of_a_request_is_kept(service: Service) -> None:
    before = sorted(default_cache().rglob("*"))
    answers(service, {"image": sent(file_of(2, seed=4321))})
    assert sorted(default_cache().rglob("*")) == before


# -------------------------------------------------------------------------------------------------- what strangers send


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 60,000 x 60,000 pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"image": "not base64!"}], "row 1: 'image' is not base64"),
        ([{"image": sent(b"%!PS-Adobe-3.0 EPSF")}], "row 1: 'image' is no image that can be read"),
        ([{"image": sent(b"")}], "row 1: 'image' is no image"),
        ([{"image": sent(file_of(0))}, {"image": sent(file_of(0)[:200])}], "row 2: cannot be read as an image"),
        ([{"image": sent(bomb())}], "row 1: 'image' has more than 60,000,000 pixels"),
        ([{"image": "/etc/shadow.png"}], "row 1: 'image' is the name of a file, and none is opened here"),
        ([{"image": 7}], "row 1: 'image' is no text"),
        ([{"image": None}], "body: no row has an image"),
        ([{"picture": "x"}], "body: no column 'image'"),
        ([{"image": sent(file_of(0))}, {}], "row 2: lacks 'image'"),
        ("nothing", "body: is a text and no rows"),
    ],
)
def test_what_is_no_image_is_said_once(service: Service, rows: Any, said: str) -> None:
    found = refused(service, rows)
    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.parametrize("body", [b"", b"--b\r\n", b"--b--", file_of(0)])
def test_what_is_no_form_is_said(service: Service, body: bytes) -> None:
    assert refused(service, body, "multipart/form-data")[0].startswith("body: is not a form")


def test_an_encoder_that_is_another_now_is_refused_when_the_service_starts(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autometa.fewshot import encoders

    other = encoders.Encoder("builtin", "images", "gradients-0", lambda files: np.zeros((len(files), 3), np.float32))
    monkeypatch.setattr(encoders, "_builtin", lambda takes: other)
    with pytest.raises(InputError, match="another than the model was fitted with"):
        Service.open(run)


# ------------------------------------------------------------------------------------------------------------ elsewhere


def test_an_image_of_docker_carries_the_encoder_and_what_it_needs(tmp_path: Path) -> None:
    from autometa.export import export

    checkpoint = tmp_path / "proto"
    from autometa import FewShotClassifier

    FewShotClassifier("protonet", options={"width": 8}).meta_fit("digits", steps=1, way=3).save(checkpoint)
    data = a_folder(tmp_path / "data", n=5)
    made = fit_file(data, encoder=f"fewshot:{checkpoint}", settings=SETTINGS, run=tmp_path / "run")
    export(made.run, "docker", tmp_path / "image")
    needed = (tmp_path / "image" / "requirements.txt").read_text()
    assert all(f"{name}==" in needed for name in ("torch", "pillow", "fastapi"))
    rows = [{"image": sent(file_of(kind))} for kind in range(3)]
    expected = answers(Service.open(made.run), rows, proba="1")
    checkpoint.rename(tmp_path / "away")
    assert answers(Service.open(tmp_path / "image" / "model"), rows, proba="1") == expected
    with pytest.raises(InputError, match="no checkpoint there"):
        Service.open(made.run)
    with pytest.raises(InputError, match="not there to be carried"):
        export(made.run, "docker", tmp_path / "other")
    assert not (tmp_path / "other").exists()


# ------------------------------------------------------------------------------------------------------------ over HTTP


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[Any]:
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from test_serve import serving

    with serving(run, "--max-body", "40kB") as found:
        yield found


def test_over_http_files_and_base64_are_taken_and_described(client: Any) -> None:
    told = client.ask("predict", [{"image": sent(file_of(0))}])
    assert (told.status, told.json["predictions"]) == (200, [{"prediction": "lying"}])
    assert client.ask("predict", file_of(1), "image/png").json["predictions"] == [{"prediction": "standing"}]
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\nContent-Type: image/png\r\n\r\n'
    form = b"\r\n".join([head + file_of(2), head + file_of(0), b"--x--"])
    told = client.ask("predict", form, "multipart/form-data; boundary=x")
    assert [one["prediction"] for one in told.json["predictions"]] == ["crossed", "lying"]
    assert client.ask("predict", file_of(1), "application/pdf").status == 415
    assert client.ask("predict", b"x" * 50_000, "image/png").status == 413
    assert client.ask("predict", b"GIF89a", "image/gif").status == 422
    why = client.ask("explain", [{"image": sent(file_of(0))}]).json["explanations"][0]
    assert why["base"] + sum(why["contributions"].values()) == pytest.approx(why["answer"])
    assert list(why["contributions"]) == ["emb"]  # the numbers of a picture are one column
    about = client.ask("openapi.json").json["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(about) == {"application/json", "text/csv", "multipart/form-data", "image/*"}
    row = about["application/json"]["schema"]["anyOf"][1]
    assert row["properties"]["image"]["contentEncoding"] == "base64"
    assert client.ask("predict", about["application/json"]["example"]).status == 200
    page = client.ask("").text
    assert 'type="file"' in page
    assert "image=@picture.png" in page
    assert "emb_0" not in page


# --------------------------------------------------------------------------------------------------------------- agents


def test_an_agent_fits_a_folder_and_answers_images(tmp_path: Path, run: Path) -> None:
    agent = Agent(str(tmp_path / "store.db"))
    folder = a_folder(tmp_path / "new", n=2)
    told = agent.predict(str(run), data=str(folder))
    assert [one["prediction"] for one in told["predictions"]] == ["crossed"] * 2 + ["lying"] * 2 + ["standing"] * 2
    rows = [{"image": str(folder / "lying" / "0.png")}, {"image": sent(file_of(1))}]
    assert agent.predict(str(run), rows=rows)["predictions"] == [{"prediction": "lying"}, {"prediction": "standing"}]
    with pytest.raises(InputError, match="does not exist"):
        agent.predict(str(run), rows=[{"image": "absent.png"}])
    with pytest.raises(InputError, match="an agent may not begin"):
        agent.fit(str(folder), encoder="os:system", run=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    found = agent.recommend(str(a_folder(tmp_path / "more")), families="few_shot", n=1)
    assert (found["task"], found["recommendations"][0]["family"]) == ("multiclass", "few_shot")
