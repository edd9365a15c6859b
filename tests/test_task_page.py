"""The page on tables says what is done: its table of columns is drawn by this file, from the code.

python tests/test_task_page.py    # draws it anew
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from autometa.task import make_task

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tables.md"
N = 60
LETTERS = "abcdefghijklmnopqrstuvwxyz"
COLUMNS: dict[str, list[object]] = {  # what a person would call it -> its cells
    "numbers": [i * 7 % 31 + 0.5 for i in range(N)],
    "numbers with a comma": [f"{i * 7 % 31},5" for i in range(N)],
    "thousands with blanks": [f"{i + 1} {i * 37 % 1000:03},50" for i in range(N)],
    "an accountant's numbers": [f"({i + 1},000)" if i % 3 == 0 else f"{i + 1},000" for i in range(N)],
    "numbers with a unit": [f"{i * 3 % 41} kg" for i in range(N)],
    "thousands and millions in letters": [("1.2M", "300K", "5k")[i % 3] if i % 2 else str(i * 7) for i in range(N)],
    "thousands with points": [f"{v:,}".replace(",", ".") for v in (700 + 37 * i for i in range(N))],
    "lakhs": [f"{1 + i},{i % 90 + 10},{100 + i}" for i in range(N)],
    "prices of many countries": [f"{5 + i * 7},- €" for i in range(N)],
    "digits of another script": [str(5 + i * 7).translate({48 + k: 0xFF10 + k for k in range(10)}) for i in range(N)],
    "codes like 1E2": [f"{i % 3}E{i % 5}" for i in range(N)],
    "addresses of machines": [f"192.168.1{i % 5:02}.10{i % 3}" for i in range(N)],
    "telephone numbers": [f"+49 100 200 {300 + i % 5}" for i in range(N)],
    "numbers, and a word for missing": ["k.A." if i % 4 == 0 else str(i * 7 % 41) for i in range(N)],
    "numbers, and words for missing": [("refused", "forgot")[i % 2] if i % 10 < 2 else i * 7 % 41 for i in range(N)],
    "truth values": [("true", "false")[i % 2] for i in range(N)],
    "categories": [("Ulm", "Bern", "Rome")[i % 3] for i in range(N)],
    "a count of the rows": list(range(N)),
    "a code for every row": [f"INV-{i:04}" for i in range(N)],
    "a name for every row": [f"{LETTERS[i % 26]}{LETTERS[i * 7 % 26]}ström{LETTERS[i // 26]}" for i in range(N)],
    "sentences": [f"the dish number {i} was {('good', 'bad')[i % 2]}" for i in range(N)],
    "sentences without blanks": [f"第{i}道菜{('非常好吃', '太差了不会再来')[i % 2]}" for i in range(N)],
    "dates": [f"{1 + i % 28}.{1 + i % 12}.2024" for i in range(N)],
    "dates with names": [f"{1 + i % 28}. {('März', 'mai', 'декабря')[i % 3]} 2024" for i in range(N)],
    "dates of China": [f"2024年{1 + i % 12}月{1 + i % 28}日" for i in range(N)],
    "weeks": [f"2024-W{1 + i % 52:02}" for i in range(N)],
    "quarters": [f"{2010 + i % 12}-Q{1 + i % 4}" for i in range(N)],
    "months": [f"{1 + i % 12:02}/{2010 + i % 12}" for i in range(N)],
    "dates with and without a clock": [f"{1 + i % 28}.3.2024" + " 10:30" * (i % 2) for i in range(N)],
    "times of day": [f"{1 + i % 12}:{i % 6}0 {('AM', 'PM')[i % 2]}" for i in range(N)],
    "seasons": [f"{2000 + i % 6}-{1 + i % 6:02}" for i in range(N)],
    "dates, one impossible": ["0000-00-00" if i == 5 else f"2024-0{1 + i % 9}-1{i % 9}" for i in range(N)],
    "a clock with a time zone": [f"2024-05-{1 + i % 28:02}T{i % 24:02}:30:00+02:00" for i in range(N)],
    "a log's clock": [f"{1 + i % 28:02}/Mar/2024:{i % 24:02}:05:00 +0000" for i in range(N)],
    "whole numbers of 18 digits": [10**17 + i % 3 for i in range(N)],
    "one value": ["same"] * N,
    "nothing": [None] * N,
}


def row(name: str, cells: list[object]) -> str:
    """One line of the table: what a column of these cells becomes, and what is said."""
    task = make_task(pd.DataFrame({"it": cells, "other": np.arange(N) % 7 / 2}), y=np.arange(N) * 37 % 11 % 2)
    holds = next((encoder.holds for encoder in task.schema.encoders if encoder.name == "it"), "dropped")
    features = [one for one in task.X if one.startswith("it")]
    example = next((str(cell) for cell in cells if cell is not None), "")
    first = f"{task.X[features[0]].iloc[1]}" if len(features) == 1 else ", ".join(one[3:] for one in features)
    said = " ".join(note for note in task.schema.notes if "'it'" in note)
    return "| " + " | ".join(part.replace("|", "\\|") for part in (name, f"`{example}`", holds, first, said)) + " |"


def drawing() -> str:
    head = ["| cells | such as | hold | the second one becomes | what is said |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(row(name, cells) for name, cells in COLUMNS.items())])


def test_the_page_shows_what_is_done_to_every_kind_of_column() -> None:
    assert drawing() in PAGE.read_text(encoding="utf-8"), "python tests/test_task_page.py draws it anew"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- columns -->\n")
    PAGE.write_text(
        f"{before}<!-- columns -->\n{drawing()}\n<!-- /columns -->{rest.partition('<!-- /columns -->')[2]}", "utf-8"
    )
