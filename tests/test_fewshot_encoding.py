"""Images and texts become vectors by encoders of every kind, each content once; what is wrong is told at once."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from autometa.cli import main
from autometa.errors import InputError
from autometa.fewshot import encoders, load_data
from autometa.fewshot.data.vectors import read_vectors
from autometa.fewshot.encoders import HowFed, find_encoder
from autometa.fewshot.encoding import VectorCache, encoded, examples, is_image_folder

Image = pytest.importorskip("PIL.Image")


class Tiny(nn.Module):
    """Four numbers of an image: an encoder for these tests."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.mean((2, 3)))


def lengths(batch):
    return np.array([[len(text), text.count("a")] for text in batch], dtype=float)


def sides(batch):
    return batch.mean((2, 3)).repeat(1, 3)


def wrong(batch):
    return "no vectors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Bright, dark and striped images, six of each; a hidden folder, a note, and a copy of one under another name."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for kind, level in (("bright", 220), ("dark", 30), ("stripes", 128)):
        (root / kind).mkdir()
        for k in range(6):
            pixels = rng.integers(-20, 20, (24, 20, 3)) + level
            if kind == "stripes":
                pixels[::4] += 90
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / kind / f"{k}.png")
    (root / "dark" / "copy.png").write_bytes((root / "dark" / "0.png").read_bytes())
    (root / ".cache").mkdir()
    (root / ".cache" / "x.png").write_bytes(b"")
    (root / "README.txt").write_text("notes")
    return root


@pytest.fixture
def module(monkeypatch):
    """The encoders of this file under an importable name."""
    made = types.ModuleType("my_encoders")
    for one in (Tiny, lengths, sides, wrong):
        setattr(made, one.__name__, one)
    made.__file__ = __file__
    monkeypatch.setitem(sys.modules, "my_encoders", made)
    return "my_encoders"


def test_a_folder_is_encoded_once_by_content_and_goes_on_where_it_was_stopped(folder, tmp_path):
    assert is_image_folder(folder)
    table = examples(folder)
    assert table.beside["label"].value_counts().to_dict() == {"dark": 7, "bright": 6, "stripes": 6}
    plain = find_encoder(None, "images")
    seen = []

    def counted(batch):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(len(batch))
        return plain.encode(batch)

    slow = encoders.Encoder(plain.name, plain.takes, plain.fingerprint, counted, plain.size)
    with pytest.raises(KeyboardInterrupt):
        encoded(table, slow, cache=tmp_path, batch=5)
    seen.clear()
    found = encoded(table, slow, cache=tmp_path, batch=8)
    assert seen == [8]  # 18 contents, 10 of them before
    files = table.beside["file"].tolist()
    np.testing.assert_array_equal(found[files.index("dark/copy.png")], found[files.index("dark/0.png")])
    np.testing.assert_array_equal(encoded(table, plain, cache=tmp_path / "other"), found)
    part = next(tmp_path.rglob("*.npz"))
    part.write_bytes(b"damaged")
    np.testing.assert_array_equal(encoded(table, plain, cache=tmp_path), found)


def test_the_built_in_encoder_sees_strokes_and_not_how_light_they_are():
    digits = load_data("digits").test
    images = np.repeat(np.kron(digits.x.numpy()[:40], np.ones((8, 8), np.uint8)), 3, axis=1)  # (40, 3, 64, 64)
    half = encoders.gradients((images // 2).astype(np.uint8))
    whole, blank = encoders.gradients(images), encoders.gradients(np.zeros((1, 3, 64, 64), np.uint8))
    strokes = slice(0, 7 * 7 * 36)
    assert np.abs(half[:, strokes] - whole[:, strokes]).max() < 0.02
    assert np.abs(blank).max() == 0
    np.testing.assert_allclose(np.linalg.norm(whole[:, strokes].reshape(40, 49, 36) * 7, axis=2).max(), 1.0, atol=1e-3)


@pytest.mark.parametrize("kind", ["onnx", "torchscript", "export"])
def test_a_file_gives_the_vectors_of_its_module_and_a_program_only_runs_when_trusted(
    kind, folder, tmp_path, monkeypatch
):
    module = Tiny().eval()
    path = tmp_path / {"onnx": "e.onnx", "torchscript": "e.pt", "export": "e.pt2"}[kind]
    if kind == "onnx":
        _onnx(module, path)
    elif kind == "torchscript":
        with pytest.warns():
            torch.jit.script(module).save(str(path))
    else:
        path.write_bytes(b"an exported program")  # making a real one takes eight seconds
        monkeypatch.setattr(torch.export, "load", lambda file: types.SimpleNamespace(module=lambda: module))
    if kind != "onnx":
        with pytest.raises(InputError, match="is a program"):
            find_encoder(str(path), "images", HowFed(16))
    found = find_encoder(str(path), "images", HowFed(16, trust=True))
    table = examples(folder)
    made = encoded(table, found, cache=tmp_path / "cache", batch=7)
    own = encoders._of_images("own", "own", module, 16, HowFed(16)).encode(table.items)
    np.testing.assert_allclose(made, own, atol=1e-5)
    scaled = find_encoder(str(path), "images", HowFed(16, "imagenet", trust=True))
    assert scaled.fingerprint != found.fingerprint  # vectors of one are not taken for the other's


def _onnx(module: Tiny, path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weight = numpy_helper.from_array(module.layer.weight.detach().numpy(), "weight")
    bias = numpy_helper.from_array(module.layer.bias.detach().numpy(), "bias")
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["y"], transB=1),
    ]
    entry = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 16, 16])
    exit_ = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph(nodes, "tiny", [entry], [exit_], [weight, bias, axes])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(made, str(path))


def test_functions_and_modules_of_ones_own_encode_images_and_texts(folder, module, tmp_path):
    by_class = find_encoder(f"{module}:Tiny", "images", HowFed(12)).encode(examples(folder).items[:3])
    assert by_class.shape == (3, 4)
    assert find_encoder(f"{module}:sides", "images", HowFed(12)).encode(examples(folder).items[:3]).shape == (3, 9)
    texts = pd.DataFrame({"note": ["a banana", None, "none at all"], "price": [1.0, 2, 3]})
    texts.to_csv(tmp_path / "t.csv", index=False)
    table = examples(tmp_path / "t.csv", column="note")
    found = encoded(table, find_encoder(f"{module}:lengths", "texts"), cache=tmp_path / "c")
    assert found[[0, 2]].tolist() == [[8, 4], [11, 2]]
    assert np.isnan(found[1]).all()


def test_names_come_from_the_local_cache_unless_they_may_be_fetched(monkeypatch):
    asked = []

    class Sentences:
        def __init__(self, name, device, local_files_only):
            asked.append((name, local_files_only, encoders.os.environ.get("HF_HUB_OFFLINE")))
            if local_files_only and name == "far":
                raise OSError("not in the cache")

        def encode(self, texts, **_):
            return lengths(texts)

    def create_model(name, pretrained, num_classes):
        made = Tiny()
        made.pretrained_cfg = {"input_size": (3, 10, 10), "mean": (0.5,) * 3, "std": (0.5,) * 3}
        return made

    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(SentenceTransformer=Sentences))
    monkeypatch.setitem(sys.modules, "timm", types.SimpleNamespace(create_model=create_model))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert find_encoder("sentence-transformers:near", "texts").encode(["aa"]).tolist() == [[2, 2]]
    with pytest.raises(InputError, match="--download fetches it"):
        find_encoder("sentence-transformers:far", "texts")
    find_encoder("sentence-transformers:far", "texts", HowFed(download=True))
    assert asked == [("near", True, "1"), ("far", True, "1"), ("far", False, None)]
    assert find_encoder("timm:small", "images").size == 10


def test_the_command_writes_what_fit_and_train_read(folder, tmp_path, capsys):
    out = tmp_path / "v.parquet"
    assert main(["fewshot", "encode", str(folder), "--out", str(out), "--cache", str(tmp_path / "c"), "--json"]) == 0
    assert '"examples": 19' in capsys.readouterr().out
    frame = pd.read_parquet(out)
    assert list(frame) == ["file", "label", "emb"]
    read = read_vectors(out, labelled=True)
    assert read.x.shape == (19, len(frame["emb"][0]))
    assert read.names == frame["file"].tolist()
    assert VectorCache(tmp_path / "c", find_encoder(None, "images")).vectors.keys()


def test_whatever_cannot_be_encoded_is_told_in_one_message_and_nothing_is_written(folder, module, tmp_path, capsys):
    paths = tmp_path / "p.csv"
    paths.write_text(f"picture,kind\n{folder}/bright/0.png,a\nnowhere.png,b\nlost.png,b\n")
    bad = tmp_path / "bad" / "a"
    bad.mkdir(parents=True)
    for name in ("x.png", "y.png"):
        (bad / name).write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    (tmp_path / "numbers.csv").write_text("a,b\n1,2\n3,4\n")
    out = tmp_path / "out.parquet"
    cases = [
        ([paths], "2 images are not there: nowhere.png, lost.png"),
        ([bad.parent], "y.png: cannot be read as an image"),
        ([tmp_path / "empty"], "no images in it"),
        ([tmp_path / "numbers.csv"], "no column of paths of images or of texts"),
        ([paths, "--column", "pictures"], "Did you mean 'picture'"),
        ([folder, "--encoder", str(tmp_path / "broken.onnx")], "cannot be read as ONNX"),
        ([folder, "--encoder", str(tmp_path / "none.pt")], "does not exist"),
        ([folder, "--encoder", "resnet"], "is not known"),
        ([folder, "--encoder", "timm:resnet18"], "needs timm, which is not installed"),
        ([folder, "--encoder", "sentence-transformers:x"], "encodes texts, and these are images"),
        ([folder, "--encoder", f"{module}:wrong"], "made str"),
        ([folder, "--encoder", f"{module}:lengths"], "cannot take"),
        ([folder, "--size", "0", "--scaling", "both"], "--scaling"),
    ]
    for given, told in cases:
        code = main(["fewshot", "encode", *map(str, given), "--out", str(out), "--cache", str(tmp_path / "cache")])
        said = " ".join(capsys.readouterr().err.split())
        assert (code, told in said) == (2, True), (given, said)
        assert not out.exists()
    assert main(["fewshot", "encode", str(folder), "--out", str(tmp_path / "out.csv")]) == 2
    assert "is written as parquet" in capsys.readouterr().err
