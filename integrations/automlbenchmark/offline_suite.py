"""Makes a benchmark of files out of any suite that `autometa bench` reads, so that no server is needed.

    python offline_suite.py                     three tables that come with scikit-learn, one fold: what is in data/
    python offline_suite.py --suite FOLDER --folds 10 --name mine

It writes data/NAME/NAME_train_0.csv, NAME_test_0.csv, ... for each table, in the folds that `autometa bench` has, and
the definition benchmarks/autometa_offline.yaml. Run it with a Python that has AutoMeta.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from autometa.bench import Suite, open_suite

HERE = Path(__file__).resolve().parent


def bundled(folder: Path) -> Suite:
    """Tables that come with scikit-learn: two classes, three classes, numbers."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    for load, name in ((load_breast_cancer, "breast_cancer"), (load_wine, "wine"), (load_diabetes, "diabetes")):
        data = load(as_frame=True)
        frame = data.data.set_axis([c.replace(" ", "_").replace("/", "_") for c in data.data.columns], axis=1)
        target = data.target if name == "diabetes" else data.target.map(dict(enumerate(data.target_names)))
        frame.assign(target=target).to_parquet(folder / f"{name}.parquet", index=False)
    return open_suite(str(folder))


def write(suite: Suite, folds: int, out: Path, name: str) -> None:
    """The files and the definition."""
    lines = ["# Written by offline_suite.py.", "---"]
    for entry in suite.entries:
        task = entry.load()
        folder = out / "data" / task.name
        folder.mkdir(parents=True, exist_ok=True)
        for fold in range(folds):
            for side, rows in zip(("train", "test"), task.folds[0, fold], strict=True):
                path = folder / f"{task.name}_{side}_{fold}.csv"
                task.frame.iloc[rows].to_csv(path, index=False, float_format="%.8g", lineterminator="\n")
        lines += [f"- name: {task.name}", "  dataset:"]
        for side in ("train", "test"):
            files = [f"      - '{{user}}/data/{task.name}/{task.name}_{side}_{fold}.csv'" for fold in range(folds)]
            lines += [f"    {side}:", *files]
        lines += [f"    target: {task.target}", f"    type: {task.kind}", f"  folds: {folds}"]
    definition = out / "benchmarks" / f"{name}.yaml"
    definition.parent.mkdir(parents=True, exist_ok=True)
    definition.write_text("\n".join([*lines, ""]), encoding="utf-8")


def main() -> None:
    """Parses and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", help="a folder of tables, or a catalogue")
    parser.add_argument("--folds", type=int, default=1)
    parser.add_argument("--name", default="autometa_offline", help="of the benchmark's definition")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        suite = bundled(Path(folder)) if arguments.suite is None else open_suite(arguments.suite)
        write(suite, arguments.folds, arguments.out, arguments.name)


if __name__ == "__main__":
    main()
