"""Frozen encoders by name: what makes a vector of an image or a text, before anything here learns from it.

    builtin                        no network: histograms of gradients and shrunken pixels; hashed parts of words
    FILE.onnx                      run by onnxruntime (extra ``onnx``); holds no code
    FILE.pt, .ts, .pt2             TorchScript, and what `torch.export.save` wrote: programs, so only with `trust`
    module:function                of one's own: a module of PyTorch, what makes one, or a function of a batch
    timm:NAME                      from the local cache; fetched only where that is asked for
    sentence-transformers:NAME     likewise, for texts

An encoder of images is given RGB in 0..1 as a tensor (n, 3, size, size), one of texts a list; it gives (n, p). Its
`fingerprint` says what it is by content, so that vectors of one are never taken for those of another.

To add a way, write a function that gives an `Encoder`, and name it in `find_encoder`.

Letters:  n examples · p numbers of a vector.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autometa.errors import InputError, Problem
from autometa.fewshot.backends import find_device
from autometa.fewshot.data.images import read_images
from autometa.fewshot.options import OPTIONS
from autometa.values import called

Takes = Literal["images", "texts"]
BUILTIN = "builtin"
PROGRAMS = (".pt", ".ts", ".pth", ".torchscript", ".pt2")
# Of the channels of ImageNet's photographs; what most published encoders of images were trained with.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
KNOWN = "builtin, a file (.onnx, .pt, .pt2), module:function, timm:NAME or sentence-transformers:NAME"
Batch = Sequence[Path | bytes] | Sequence[str]  # images are in files, or are what such files hold


@dataclass(frozen=True, slots=True)
class Encoder:
    """What makes vectors of images or texts.

    See Also:
        `find_encoder`, `autometa.fewshot.encoding.encoded`.

    Example:
        >>> find_encoder(None, "texts").encode(["a good day", "a bad night"]).shape
        (2, 512)
    """

    name: str  # as it was asked for
    takes: Takes
    fingerprint: str  # of what it is and how it is fed
    encode: Callable[[Batch], NDArray[np.float32]]  # files of images, or texts (n,) -> (n, p)
    size: int | None = None  # pixels of a side, of images


@dataclass(frozen=True, slots=True)
class HowFed:
    """How an encoder is fed: what a run keeps of it, to encode later tables alike."""

    size: int | None = None  # of images; None for the encoder's own, or 224
    scaling: Literal["unit", "imagenet"] | None = None  # numbers in 0..1, or standardised by ImageNet; None: its own
    device: str = "auto"
    trust: bool = False  # whether a file that is a program may be run
    download: bool = False  # whether a name may be fetched


def find_encoder(name: str | None, takes: Takes, how: HowFed | None = None) -> Encoder:
    """The encoder of a name.

    Args:
        name: As above; None for the one that is built in.
        takes: What it is given.
        how: Its size, device, and what is allowed.

    Raises:
        InputError: There is none, it is of the other kind, a package is missing, or it may not be run; says which.
    """
    how = how or HowFed()
    if how.scaling is not None and how.scaling not in ("unit", "imagenet"):
        raise InputError(Problem(f"--scaling {how.scaling}", "is not known", "Choose unit or imagenet."))
    if name is None or name == BUILTIN:
        return _builtin(takes)
    path = Path(name)
    where = f"encoder {name}"
    if path.suffix.lower() in (".onnx", *PROGRAMS):
        if not path.is_file():
            raise InputError(Problem(where, "does not exist", f"Name {KNOWN}."))
        if takes == "texts":
            fix = "Texts are encoded by builtin, module:function or sentence-transformers:NAME."
            raise InputError(Problem(where, "a file has no words, only numbers", fix))
        if path.suffix.lower() == ".onnx":
            return _onnx(path, how)
        if not how.trust:
            what = "is a program, which runs when it is read"
            raise InputError(
                Problem(where, what, "Add --trust (trust=True) if you trust whoever made it, or take ONNX.")
            )
        return _program(path, how)
    library, _, rest = name.partition(":")
    if library == "timm" and rest:
        return _timm(name, rest, takes, how)
    if library in ("sentence-transformers", "st") and rest:
        return _sentences(name, rest, takes, how)
    if rest and not path.exists():
        return _own(name, takes, how)
    raise InputError(Problem(where, "is not known", f"Name {KNOWN}."))


# ------------------------------------------------------------------------------------------------- built in


def _builtin(takes: Takes) -> Encoder:
    if takes == "texts":
        return Encoder(BUILTIN, takes, "hashed-words-1", _hashed_words)
    size = OPTIONS.builtin_side
    return Encoder(BUILTIN, takes, "gradients-1", lambda files: gradients(_pixels(files, size)), size)


def gradients(images: NDArray[np.uint8]) -> NDArray[np.float32]:  # (n, 3, s, s) -> (n, p)
    """Histograms of oriented gradients of the grey image, and the image itself at an eighth of its side.

    Nine orientations without sign, in cells of 8 x 8 pixels, each block of 2 x 2 cells of length 1, cut at .2 and again
    of length 1.

    Source:
        Dalal and Triggs, 2005, "Histograms of oriented gradients for human detection".
    """
    x = images.astype(np.float32) / 255
    n, _, s, _ = x.shape
    grey = np.tensordot((0.299, 0.587, 0.114), x, (0, 1))
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength, bins, cells = np.hypot(across, down), 9, s // 8
    place = (np.arctan2(down, across) % np.pi) / np.pi * bins
    low, share = np.floor(place).astype(int) % bins, place - np.floor(place)
    histogram = np.zeros((n, cells, cells, bins))
    for k in range(bins):
        votes = strength * ((low == k) * (1 - share) + ((low + 1) % bins == k) * share)
        histogram[..., k] = votes.reshape(n, cells, 8, cells, 8).sum((2, 4))
    corners = [histogram[:, i : cells - 1 + i, j : cells - 1 + j] for i in (0, 1) for j in (0, 1)]
    blocks = np.concatenate(corners, -1)
    for most in (0.2, np.inf):
        blocks = np.minimum(blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-6), most)
    small = x.reshape(n, 3, 8, s // 8, 8, s // 8).mean((3, 5))
    return np.hstack([blocks.reshape(n, -1) / (cells - 1), small.reshape(n, -1) / 8]).astype(np.float32)


def _hashed_words(texts: Batch) -> NDArray[np.float32]:
    """Parts of words of two to four letters, hashed into as many numbers, of length 1."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(n_features=OPTIONS.builtin_numbers, analyzer="char_wb", ngram_range=(2, 4))
    found: NDArray[np.float32] = hashing.transform([str(text) for text in texts]).toarray().astype(np.float32)
    return found


# ------------------------------------------------------------------------------------------------- files


def _onnx(path: Path, how: HowFed) -> Encoder:
    if importlib.util.find_spec("onnxruntime") is None:
        fix = "pip install 'autometa-ml[onnx]'."
        raise InputError(Problem(f"encoder {path}", "needs onnxruntime, which is not installed", fix))
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds, of any fault of the file
        raise InputError(Problem(f"encoder {path}", f"cannot be read as ONNX ({_said(error)})")) from error
    entry = session.get_inputs()[0]
    sides = [side for side in entry.shape[2:] if isinstance(side, int)]
    size = how.size or (sides[0] if sides else OPTIONS.encoder_side)

    def run(x: torch.Tensor) -> Any:
        return session.run(None, {entry.name: x.cpu().numpy()})[0]

    return _of_images(str(path), content_of(path), run, size, how)


def _program(path: Path, how: HowFed) -> Encoder:
    device = find_device(how.device)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix.lower() == ".pt2":
                module: Any = torch.export.load(str(path)).module()
                module = module.to(device)
            else:
                module = torch.jit.load(str(path), map_location=device).eval()
    except Exception as error:  # whatever a damaged or foreign file raises
        what = f"cannot be read as TorchScript, or what torch.export wrote ({_said(error)})"
        raise InputError(Problem(f"encoder {path}", what)) from error
    return _of_images(str(path), content_of(path), _fed(module, device), how.size or OPTIONS.encoder_side, how)


def runs_code(name: str) -> bool:
    """Whether reading an encoder of this name runs what somebody wrote: a program, or a module of Python.

    Example:
        >>> [runs_code(name) for name in ("builtin", "net.onnx", "fewshot:net.npz", "timm:vit", "net.pt2", "my:net")]
        [False, False, False, False, True, True]
    """
    prefix, _, rest = name.partition(":")
    known = ("timm", "sentence-transformers", "st", "fewshot")
    return Path(name).suffix.lower() in PROGRAMS if not rest or prefix in known else True


def content_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ------------------------------------------------------------------------------------------------- names


def _own(name: str, takes: Takes, how: HowFed) -> Encoder:
    found = called("encoder", name)
    if isinstance(found, type) or (inspect.isfunction(found) and not inspect.signature(found).parameters):
        found = found()
    module = sys.modules.get(name.partition(":")[0])
    file = getattr(module, "__file__", None)
    mark = f"{name}|{content_of(Path(file)) if file else ''}"
    if isinstance(found, nn.Module):
        device = find_device(how.device)
        found = _fed(found.to(device).eval(), device) if takes == "images" else found.eval()
    if takes == "images":
        return _of_images(name, mark, found, how.size or OPTIONS.encoder_side, how)
    return Encoder(name, takes, mark, lambda texts: _checked(name, found(list(texts)), len(texts)))


def _timm(name: str, model: str, takes: Takes, how: HowFed) -> Encoder:
    _of_kind(name, takes, "images")
    timm = _library(name, "timm")
    made = _fetched(name, how, lambda: timm.create_model(model, pretrained=True, num_classes=0))
    config = getattr(made, "pretrained_cfg", None) or {}
    size = how.size or int((config.get("input_size") or (3, OPTIONS.encoder_side))[-1])
    device = find_device(how.device)
    own = (tuple(config.get("mean") or IMAGENET[0]), tuple(config.get("std") or IMAGENET[1]))
    return _of_images(
        name, f"{name}|{getattr(timm, '__version__', '')}", _fed(made.to(device).eval(), device), size, how, own
    )


def _sentences(name: str, model: str, takes: Takes, how: HowFed) -> Encoder:
    _of_kind(name, takes, "texts")
    library = _library(name, "sentence_transformers")
    device = find_device(how.device)
    options = {"device": device, "local_files_only": not how.download}
    made = _fetched(name, how, lambda: library.SentenceTransformer(model, **options))

    def encode(texts: Batch) -> NDArray[np.float32]:
        found = made.encode([str(text) for text in texts], convert_to_numpy=True, show_progress_bar=False)
        return _checked(name, found, len(texts))

    return Encoder(name, takes, f"{name}|{getattr(library, '__version__', '')}", encode)


def _of_kind(name: str, takes: Takes, kind: Takes) -> None:
    if takes != kind:
        raise InputError(Problem(f"encoder {name}", f"encodes {kind}, and these are {takes}", f"Name {KNOWN}."))


def _library(name: str, module: str) -> Any:
    if module not in sys.modules and importlib.util.find_spec(module) is None:
        package = module.replace("_", "-")
        fix = f"pip install {package}, or name another: {KNOWN}."
        raise InputError(Problem(f"encoder {name}", f"needs {package}, which is not installed", fix))
    return importlib.import_module(module)


def _fetched(name: str, how: HowFed, make: Callable[[], Any]) -> Any:
    """A model of a hub: from the local cache, unless it may be downloaded."""
    before = {key: os.environ.get(key) for key in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}
    if not how.download:
        os.environ.update(dict.fromkeys(before, "1"))
    try:
        return make()
    except Exception as error:  # whatever a hub's client raises
        fix = "Is it spelled so?" if how.download else "If it is not in the local cache: --download fetches it."
        raise InputError(Problem(f"encoder {name}", f"cannot be had ({_said(error)})", fix)) from error
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


# ------------------------------------------------------------------------------------------------- images to vectors


def _of_images(
    name: str,
    content: str,
    run: Callable[[torch.Tensor], Any],
    size: int,
    how: HowFed,
    own: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> Encoder:
    """An encoder of images from what makes vectors of a tensor (n, 3, size, size)."""
    standard = {"imagenet": IMAGENET, "unit": None, None: own}[how.scaling]

    def encode(files: Batch) -> NDArray[np.float32]:
        x = torch.from_numpy(_pixels(files, size)).float() / 255
        if standard is not None:
            mean, spread = (torch.tensor(part)[:, None, None] for part in standard)
            x = (x - mean) / spread
        try:
            with torch.no_grad():
                made = run(x)
        except Exception as error:  # of whatever the encoder is made of
            what = f"cannot take {len(files)} images of 3 x {size} x {size} ({_said(error)})"
            raise InputError(Problem(f"encoder {name}", what, "Give --size N as it was trained.")) from error
        return _checked(name, made, len(files))

    return Encoder(name, "images", f"{content}|{size}|{standard}", encode, size)


def _fed(module: Any, device: str) -> Callable[[torch.Tensor], Any]:
    return lambda x: module(x.to(device))


def _pixels(files: Batch, size: int) -> NDArray[np.uint8]:  # (n, 3, size, size)
    return read_images(files_of(files), size=size, grey=False)


def files_of(images: Batch) -> list[Path | bytes]:
    """Images, as `read_images` takes them."""
    return [one if isinstance(one, bytes) else Path(one) for one in images]


def _checked(name: str, made: Any, n: int) -> NDArray[np.float32]:
    """What an encoder gave, as vectors; or why they are none."""
    if isinstance(made, torch.Tensor):
        made = made.detach().float().cpu().numpy()
    where = f"encoder {name}"
    try:
        found = np.asarray(made, dtype=np.float32)
    except (TypeError, ValueError):
        raise InputError(Problem(where, f"made {type(made).__name__}", "A vector of each is needed.")) from None
    if found.ndim < 2 or len(found) != n:
        raise InputError(Problem(where, f"made {found.shape} of {n} examples", "A vector of each is needed."))
    found = found.reshape(n, -1)
    if found.shape[1] > OPTIONS.most_dimensions:
        what = f"makes {found.shape[1]} numbers of an example; {OPTIONS.most_dimensions} are the most"
        raise InputError(Problem(where, what, "Take its last layer but one, pooled."))
    if not np.isfinite(found).all():
        raise InputError(Problem(where, "makes NaN or infinity"))
    return found


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
