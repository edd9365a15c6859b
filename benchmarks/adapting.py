"""Does a search gain by a trained learner, and by how much: few images of each class, with and without ``--fewshot``.

    python benchmarks/adapting.py              judges; what is measured is never repeated
    python benchmarks/adapting.py --quick      one cut of two drawings each
    python benchmarks/adapting.py --report     results/adapting.md

Ten classes a cut: characters of Omniglot that `protonet-omniglot` never saw (Vinyals' test split), and scikit-learn's
digits, which are other pictures than it knows (8 x 8, shaded). Of each class 2, 5 or 10 images are learned from and ten
are judged by. `fit` is a search of eight trials over few-shot heads, linear models and nearest neighbours on the images
as the encoder that is built in sees them; `fit --fewshot` the same with the learner, whose network makes more vectors
for all of them; `learner` is the learner alone, as it was trained. Accuracy, and log loss with probabilities
clipped at .001; mean over cuts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autometa import FewShotClassifier
from autometa.bench.results import read_lines
from autometa.bench.run import machine
from autometa.estimator import fit_file, load_model
from autometa.fewshot.embedded import later
from autometa.fitting.learner import with_learner
from autometa.search import Settings

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "adapting.jsonl"
LEARNER, WAYS, SHOTS, QUERY, TRIALS = "protonet-omniglot", 10, (2, 5, 10), 10, 8
METHODS = ("fit", "fit --fewshot", "learner")
FAMILIES = ("few_shot", "linear", "knn")
Images = tuple[NDArray[np.uint8], NDArray[Any]]  # (n, h, w), (n,)


def characters(data: Path) -> Images:
    """Of Omniglot's test split, ink on black."""
    with np.load(data / "fewshot" / "omniglot28.npz") as file:
        of_class, label = file["vinyals_split"], file["label"]
        test = max(np.unique(of_class))  # train 0, validation 1, test 2
        keep = of_class[label] == test
        return file["images"][keep], label[keep]


def digits(data: Path) -> Images:
    """scikit-learn's, each pixel four times across and down."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return np.kron(x.reshape(-1, 8, 8) * 15.9, np.ones((4, 4))).astype(np.uint8), y


SETS = {"characters": characters, "digits": digits}


def cut(y: NDArray[Any], shot: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Images of ten classes to learn from, and to be judged by."""
    rng, known, new = np.random.default_rng([shot, seed]), [], []
    for label in rng.choice(np.unique(y), WAYS, replace=False):
        rows = rng.permutation(np.flatnonzero(y == label))
        known += list(rows[:shot])
        new += list(rows[shot : shot + QUERY])
    return np.array(known), np.array(new)


def written(folder: Path, x: NDArray[np.uint8], y: NDArray[Any]) -> Path:
    """Images as a folder for each class."""
    for k, (image, label) in enumerate(zip(x, y, strict=True)):
        (folder / f"class{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"class{label}" / f"{k:03}.png")
    return folder


def judge(x: NDArray[np.uint8], y: NDArray[Any], shot: int, seed: int, method: str) -> dict[str, Any]:
    """One method on one cut."""
    known, new = cut(y, shot, seed)
    begun = time.monotonic()
    if method == "learner":
        model = FewShotClassifier.pretrained(LEARNER).fit(*_sized(x[known], y[known]))
        said, classes, truth = model.predict_proba(_sized(x[new], y[new])[0]), list(model.classes_), list(y[new])
    else:
        with tempfile.TemporaryDirectory() as place:
            here = Path(place)
            settings = Settings(
                trials=TRIALS, families=FAMILIES, folds=min(shot, 3), cold=True, remember=False, seed=seed, jobs=1
            )
            settings = with_learner(settings, LEARNER if method == "fit --fewshot" else None)
            fit_file(written(here / "known", x[known], y[known]), settings=settings, run=here / "run")
            fitted = load_model(here / "run")
            vectors = later(fitted.schema.encoder, written(here / "new", x[new], y[new]))
            said, classes = fitted.predict_proba(vectors), list(fitted.classes)
            truth = list(vectors["label"])
    places = np.array([classes.index(label) for label in truth])
    likely = np.clip(said[np.arange(len(places)), places], 1e-3, None)
    return {
        "accuracy": float((said.argmax(1) == places).mean()),
        "log_loss": float(-np.log(likely).mean()),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _sized(x: NDArray[np.uint8], y: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Images of the learner's size."""
    return np.stack([np.asarray(Image.fromarray(image).resize((28, 28))) for image in x]), y


def run(options: argparse.Namespace) -> None:
    """Judges what has not been judged yet."""
    done = {tuple(row[name] for name in ("set", "shot", "cut", "method")) for row in read_lines(options.results)}
    for name in options.sets:
        x, y = SETS[name](options.data)
        for key in ((name, shot, seed, m) for seed in range(options.cuts) for shot in options.shots for m in METHODS):
            if key in done and not options.quick:
                continue
            found = dict(zip(("set", "shot", "cut", "method"), key, strict=True)) | judge(x, y, *key[1:])
            print(" ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in found.values()))
            if not options.quick:
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"benchmark": "adapting", **found, **machine()}) + "\n")


def report(records: list[dict[str, Any]]) -> str:
    """A row for each set and number of images, a column for each method."""
    cells = defaultdict(list)
    for row in records:
        cells[row["set"], row["shot"], row["method"]].append(row)
    lines = [
        "# A search with and without a trained learner", "",
        "Written by `benchmarks/adapting.py --report`. Ten classes, accuracy in % and log loss in brackets, mean over",
        f"{len({row['cut'] for row in records})} cuts.", "",
        "| images | " + " | ".join(METHODS) + " |", "|---" * (1 + len(METHODS)) + "|",
    ]  # fmt: skip
    for name, shot in dict.fromkeys((row["set"], row["shot"]) for row in records):
        found = [cells[name, shot, method] for method in METHODS]
        said = [
            f"{100 * np.mean([r['accuracy'] for r in rows]):.1f} ({np.mean([r['log_loss'] for r in rows]):.2f})"
            if rows else "–" for rows in found
        ]  # fmt: skip
        lines.append(f"| {name}, {shot} each | " + " | ".join(said) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--shots", nargs="+", type=int, default=list(SHOTS))
    parser.add_argument("--cuts", type=int, default=3, help="of each set and number of images")
    parser.add_argument("--quick", action="store_true", help="one cut of digits, two images each, nothing recorded")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.sets, options.shots, options.cuts = ["digits"], [2], 1
    if options.report:
        text = report(read_lines(options.results))
        options.results.with_suffix(".md").write_text(text, encoding="utf-8")
        print(text)
    else:
        run(options)


if __name__ == "__main__":
    main()
