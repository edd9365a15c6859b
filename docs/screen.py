"""The screen of the README: one real run of the command line, as a picture.

python docs/screen.py    # writes docs/images/fit.svg; a minute

The command runs as anybody runs it. What it says while it works (standard error) stands above what it answers (standard
output), which it is let believe is a terminal, so that the colours are its own.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "fit.svg"
COLUMNS = 100
COMMAND = "autometa fit breast_cancer.csv --target diagnosis --time 60 --run run"


def answer(command: list[str], folder: Path) -> tuple[str, str]:
    """Standard error as plain text, and standard output as a terminal gets it."""
    ours, theirs = pty.openpty()
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    terminal = {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    environment = os.environ | terminal | {"PYTHONPATH": path, "XDG_DATA_HOME": str(folder / "data")}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    said: list[bytes] = []

    def listen() -> None:
        try:
            while block := os.read(ours, 65536):
                said.append(block)
        except OSError:  # Linux ends a terminal that has no writer with an error
            pass

    listener = threading.Thread(target=listen)
    listener.start()
    assert process.stderr is not None
    told = process.stderr.read().decode()
    if process.wait():
        sys.exit(told)
    listener.join()
    return told, b"".join(said).decode()


def main() -> None:
    """Runs the command in an empty folder and draws what it printed."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subprocess.run([sys.executable, ROOT / "benchmarks" / "demo.py", "write", folder], check=True)
        told, answered = answer([sys.executable, "-m", *COMMAND.split()], folder)
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123
    console.print(Text.assemble(("$ ", "bold green"), (COMMAND, "bold")))
    console.print(Text(told.rstrip()), style="dim")
    console.print(Text.from_ansi(answered.replace("\r", "")))
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # nothing is fetched
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(console.export_svg(title="autometa", code_format=form, unique_id="fit"), encoding="utf-8")


if __name__ == "__main__":
    main()
