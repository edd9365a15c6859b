"""Stand-ins for what foundation models need: a package, its weights, and the client of the hub; and real small weights.

The stand-in of TabICL has its interface and answers by the nearest of its rows, so that what is around it can be tested
where the package is not installed.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path

PACKAGE = """
import json, zipfile
import numpy as np

class _Base:
    def __init__(self, *, n_estimators, norm_methods, outlier_threshold, batch_size, model_path, allow_auto_download,
                 device, random_state, softmax_temperature=None):
        assert allow_auto_download is False
        self.model_path = model_path
    def _load_model(self):
        with zipfile.ZipFile(self.model_path) as archive:
            self.model_ = json.loads(archive.read("weights/data.pkl"))
        if "sharpness" not in self.model_:
            raise KeyError("sharpness")
    def fit(self, X, y):
        self._load_model()
        assert np.isfinite(X).all()
        self.X, self.y = X, y
        return self
    def _near(self, X):
        d = ((X[:, None] - self.X[None]) ** 2).sum(axis=2)
        w = np.exp(-self.model_["sharpness"] * (d - d.min(axis=1, keepdims=True)))
        return w / w.sum(axis=1, keepdims=True)

class TabICLClassifier(_Base):
    def predict_proba(self, X):
        return self._near(X) @ np.eye(int(self.y.max()) + 1)[self.y]

class TabICLRegressor(_Base):
    def predict(self, X):
        return self._near(X) @ self.y
"""

HUB = """
import os
from pathlib import Path

def hf_hub_download(*, repo_id, filename):
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        raise ConnectionError("the hub cannot be reached:\\n  offline mode is on")
    folder = Path(os.environ["HF_HUB_CACHE"]) / ("models--" + repo_id.replace("/", "--"))
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text("0badcafe")
    path = folder / "snapshots" / "0badcafe" / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    import shutil
    shutil.copy(Path(os.environ["THE_HUB"]) / filename, path)
    return str(path)
"""

NO_NETWORK = """
import socket
_connect = socket.socket.connect
def _refused(self, address):
    if self.family != socket.AF_UNIX:
        raise AssertionError(f"a socket was opened to {address}")
    return _connect(self, address)
def _no_name(*args, **how):
    raise AssertionError(f"{args} was looked up")
socket.socket.connect, socket.getaddrinfo = _refused, _no_name
"""

CLASSIFIER, REGRESSOR = "tabicl-classifier-v2-20260212.ckpt", "tabicl-regressor-v2-20260212.ckpt"


def stand_in(folder: Path, *, version: str = "2.2.0") -> Path:
    """A folder for the path of Python in which tabicl is installed, and the hub's client; no process there connects."""
    for name, text in (("tabicl", PACKAGE), ("huggingface_hub", HUB)):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(text)
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    return folder


def weights(folder: Path, **content: object) -> Path:
    """A folder with the stand-in's weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CLASSIFIER, REGRESSOR):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("weights/data.pkl", json.dumps(content or {"sharpness": 4.0}))
    return folder


def small_tabicl(folder: Path) -> Path:
    """Weights at random in TabICL's own format, of a network of 20,000 numbers."""
    import torch
    from tabicl._model.tabicl import TabICL

    torch.manual_seed(0)
    small = {"embed_dim": 16, "col_num_blocks": 1, "col_nhead": 2, "col_num_inds": 8, "row_num_blocks": 1}
    small |= {"row_nhead": 2, "row_num_cls": 2, "icl_num_blocks": 1, "icl_nhead": 2}
    for name, own in ((CLASSIFIER, {"max_classes": 10}), (REGRESSOR, {"max_classes": 0, "num_quantiles": 9})):
        network = TabICL(**own, **small)
        for weight in network.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.2)
        torch.save({"config": own | small, "state_dict": network.state_dict()}, folder / name)
    return folder


def small_tabdpt(folder: Path) -> Path:
    """The same in TabDPT's."""
    import torch
    from safetensors.torch import save_file

    with warnings.catch_warnings():  # a warning of faiss that is made an error ends the process
        warnings.simplefilter("ignore")
        from tabdpt.model import TabDPTModel

    torch.manual_seed(0)
    own = {"enc_cell_dim": 1, "max_num_classes": 10, "regression_bin_count": 20, "regression_bin_min": -4.0}
    own |= {"regression_bin_max": 4.0, "nhead": 2, "ff_dim": 32, "emsize": 16, "nlayers": 2, "max_num_features": 100}
    own |= {"min_eval_context": 64, "max_eval_context": 1024, "y_encoder_dim": 8, "num_col_attn_layers": 2}
    own |= {"n_thinking_rows": 4}
    other = {"max_num_classes": "n_out", "ff_dim": "nhid", "emsize": "ninp", "max_num_features": "num_features"}
    other |= {"min_eval_context": "base_len", "max_eval_context": "max_len"}
    network = TabDPTModel(dropout=0.0, use_flash=False, **{other.get(name, name): value for name, value in own.items()})
    for weight in network.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.2)
    said = {"training": {"dropout": 0.0}, "env": {"device": "cpu"}, "model": own}
    save_file(network.state_dict(), folder / "tabdpt1_3.safetensors", metadata={"cfg": json.dumps(said)})
    return folder
