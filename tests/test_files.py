"""Files are whole or not there."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autometa.files import replace, sweep, whole


def test_a_writer_that_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    replace(path, "old")
    with pytest.raises(TypeError), whole(path) as temporary:
        temporary.write_bytes("not bytes")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_one_file_do_not_meet(tmp_path: Path):
    path, contents = tmp_path / "a.bin", [bytes([k]) * 200_000 for k in range(8)]
    threads = [threading.Thread(target=lambda c=c: [replace(path, c) for _ in range(20)]) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_has_the_suffix_that_writers_look_at(tmp_path: Path):
    with whole(tmp_path / "a.npz") as temporary:
        assert temporary.suffix == ".npz"
        assert temporary.parent == tmp_path
        temporary.touch()


def test_what_a_killed_writer_left_goes_and_what_one_writes_stays(tmp_path: Path):
    """Killed in mid-write, and then somebody who has the folder for itself sweeps it."""
    (tmp_path / "oof").mkdir()
    killed = (
        "import os, sys; from pathlib import Path; from autometa.files import whole\n"
        "with whole(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), 9)"
    )
    for path in (tmp_path / "model.pkl", tmp_path / "oof" / "7.npy", tmp_path / "run.json.seal", tmp_path / "lock"):
        subprocess.run([sys.executable, "-c", killed, str(path)], check=False, timeout=300)
    (tmp_path / "oof" / "7.npy").touch()
    (tmp_path / ".begun").touch()
    with whole(tmp_path / "report.html") as temporary:
        assert len(list(tmp_path.rglob(".*.*"))) == 5
        sweep(tmp_path)
        assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [".begun", temporary.name, "7.npy"]
