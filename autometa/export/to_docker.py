"""A folder from which an image is built that serves a model: Dockerfile, locked requirements, AutoMeta, the model.

FOLDER/Dockerfile         python of this version, requirements, a user without rights, ``autometa serve``
FOLDER/requirements.txt   every package that the model and the server need, by its version here
FOLDER/autometa/          this very AutoMeta, without its memory, which a server does not ask
FOLDER/model/             the model, and its card
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from autometa.adapting.keeping import FOLDER as LEARNERS
from autometa.adapting.keeping import encoder_files
from autometa.errors import InputError, Problem
from autometa.export.to_python import check_folder
from autometa.files import replace
from autometa.search.model import Model

ROOT = Path(__file__).resolve().parents[1]
# What a server imports: the packages of `pyproject.toml` that reading a table and answering it need, and the extra
# `serve`. Those of the search (openml, the stores) stay out of the image.
NEEDED = (
    *("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "optuna", "typer", "rich", "platformdirs", "psutil"),
    *("threadpoolctl", "filelock", "charset-normalizer", "python-calamine", "SQLAlchemy", "fastapi", "uvicorn"),
)
LIBRARIES = {"lightgbm": "lightgbm", "xgboost": "xgboost", "catboost": "catboost", "torch": "torch"}

ENCODING = ("torch", "pillow")  # what images and texts are encoded with

DOCKERFILE = """\
FROM python:{python}-slim
# The OpenMP runtime, which the boosting libraries need.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt
COPY autometa autometa
COPY model /model
RUN printf '#!/bin/sh\\nexec python -m autometa "$@"\\n' > /usr/local/bin/autometa \\
    && chmod +x /usr/local/bin/autometa && useradd --create-home server
USER server
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=3)"
# The model is signed with a key that is not in the image: --trust says that it was you who put it there.
CMD ["autometa", "serve", "/model", "--host", "0.0.0.0", "--port", "8000", "--trust"]
"""


def write_image(model: Model, folder: Path, card: Path | None = None) -> list[Path]:
    """Writes the folder.

    Args:
        model: What answers.
        folder: Where to: new, empty, or one that this wrote before.
        card: The model card, to be put beside the model; None for none.

    Raises:
        InputError: The folder holds something else.

    See Also:
        `export`.
    """
    check_folder(folder, "Dockerfile")
    carried = _encoder_of(model)
    (folder / "model").mkdir(parents=True, exist_ok=True)
    model.save(folder / "model" / "model.pkl")
    if card is not None and card.is_file():
        replace(folder / "model" / "model_card.md", card.read_bytes())
    for name, file in carried.items():
        (folder / "model" / LEARNERS).mkdir(exist_ok=True)
        shutil.copyfile(file, folder / "model" / LEARNERS / name)
    unwanted = shutil.ignore_patterns("__pycache__", "meta_db")
    shutil.copytree(ROOT, folder / "autometa", dirs_exist_ok=True, ignore=unwanted)
    replace(folder / "requirements.txt", "".join(f"{line}\n" for line in locked(_needed(model))).encode())
    replace(folder / "Dockerfile", DOCKERFILE.format(python=f"{sys.version_info[0]}.{sys.version_info[1]}").encode())
    return [folder / name for name in ("Dockerfile", "requirements.txt", "autometa", "model")]


def _needed(model: Model) -> list[str]:
    """The packages that the image needs: the server's, and of the learners' libraries those that a member names."""
    from autometa.pickled import names_in

    modules = {name.split(".")[0] for member in model.members for name in names_in(member.content)}
    found = [*NEEDED, *(package for module, package in LIBRARIES.items() if module in modules)]
    if model.schema.encoder:
        found += [name for name in ENCODING if name not in found]
        found += ["onnxruntime"] * any(name.endswith(".onnx") for name in _encoder_of(model))
    return found


def _encoder_of(model: Model) -> dict[str, Path]:
    """The files of what encodes images or texts, by their names in the image, where `encoder_in` finds them."""
    if not model.schema.encoder:
        return {}
    from autometa.fewshot.checkpoint import FILE
    from autometa.fewshot.pretrained import located

    found = {}
    for name in encoder_files(model.schema.encoder):
        file = located(str(name))
        found[name.name if name.suffix else f"{name.name}.npz"] = file / FILE if file.is_dir() else file
    if wrong := [file for file in found.values() if not file.is_file()]:
        raise InputError(Problem(f"encoder {one}", "is not there to be carried", "Put it back.") for one in wrong)
    return found


def locked(packages: Iterable[str]) -> list[str]:
    """Packages with all that they need themselves, as ``name==version`` of what is installed here.

    What is not installed here stands without a version.

    Example:
        >>> locked(["threadpoolctl"])[0].partition("==")[0]
        'threadpoolctl'
    """
    found: dict[str, str] = {}
    waiting = [*packages]
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            found[key] = key
            continue
        found[key] = f"{key}=={distribution.version.partition('+')[0]}"
        needs = [line for line in distribution.requires or () if "extra ==" not in line]
        waiting += [own[0] for line in needs if (own := re.match(r"[\w.-]+", line)) and _installed(own[0])]
    return sorted(found.values())


def _installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
