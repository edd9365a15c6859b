"""The demonstration's data: the Wisconsin breast cancer study that ships with scikit-learn, as two CSV files.

python benchmarks/demo.py write FOLDER    breast_cancer.csv to learn from, unseen.csv to be judged by
python benchmarks/demo.py judge FOLDER    compares FOLDER/predictions.csv with the truth about unseen.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split


def write(folder: Path) -> None:
    """Writes 75 % of the 569 cases with their diagnosis, and the others without it."""
    data = load_breast_cancer(as_frame=True)
    frame = data.data.assign(diagnosis=data.target_names[data.target])
    train, unseen = train_test_split(frame, test_size=0.25, random_state=0, stratify=frame["diagnosis"])
    folder.mkdir(parents=True, exist_ok=True)
    train.to_csv(folder / "breast_cancer.csv", index=False)
    unseen.drop(columns="diagnosis").to_csv(folder / "unseen.csv", index=False)
    unseen[["diagnosis"]].to_csv(folder / "truth.csv", index=False)


def judge(folder: Path) -> None:
    """Prints how many of the unseen cases were diagnosed rightly."""
    predicted = pd.read_csv(folder / "predictions.csv")["prediction"]
    truth = pd.read_csv(folder / "truth.csv")["diagnosis"]
    right = int((predicted == truth).sum())
    print(f"{right} of {len(truth)} unseen cases diagnosed rightly ({right / len(truth):.1%}).")
    for page in sorted((folder / "run").glob("*.html")):
        print(f"The report is {page}: open it in a browser.")


if __name__ == "__main__":
    {"write": write, "judge": judge}[sys.argv[1]](Path(sys.argv[2]))
