"""What a few-shot learner answers, for a person or the next program in a pipe."""

from __future__ import annotations

import csv
import sys
from typing import Any

from autometa.values import printable


def show_answers(told: dict[str, Any]) -> None:
    """Answers as CSV on standard output; explanations as words in a last column."""
    writer = csv.writer(sys.stdout)
    classes = told.get("classes", [])
    none = ["proba_none"] if "none" in told else []
    because = ["because"] if "explanations" in told else []
    writer.writerow(["query", "prediction", *(f"proba_{label}" for label in classes), *none, *because])
    for i, (name, prediction) in enumerate(zip(told["names"], told["predictions"], strict=True)):
        shares = [f"{p:.4f}" for p in told["probabilities"][i]] if classes else []
        strange = [f"{told['none'][i]:.4f}"] if "none" in told else []
        row = [name, prediction if classes else " ".join(f"{v:.6g}" for v in prediction), *shares, *strange]
        if because:
            row.append(_because(told["explanations"][i], told["support_names"]))
        writer.writerow([printable(cell) for cell in row])


def _because(explanation: dict[str, Any], names: list[str]) -> str:
    parts = [f"{names[k]} ({label}) {share:.3f}" for k, label, share in explanation["support"]]
    words = f"{explanation['kind']}: {', '.join(parts)}"
    if "before" in explanation:
        words += f"; before adapting: {explanation['before']}"
    return words
