"""How good are the few-shot learners, beside their published figures, and how fast?

    python benchmarks/fewshot.py --train protonet matching --minutes 20     trains on Omniglot; goes on where it stopped
    python benchmarks/fewshot.py --train mann --shot 5 --minutes 45         on episodes of five shots instead of one
    python benchmarks/fewshot.py --train maml --way 20 --minutes 30         of twenty ways instead of five
    python benchmarks/fewshot.py --judge                                    1000 test episodes for each trained learner
    python benchmarks/fewshot.py --sinusoid --minutes 5                     MAML on sine waves
    python benchmarks/fewshot.py --setup                                    .venvs/learn2learn, for the next line
    python benchmarks/fewshot.py --speed                                    beside learn2learn and a plain loop
    python benchmarks/fewshot.py --gpu --seconds 540                        published rows on a GPU (`fewshot_gpu.py`)
    python benchmarks/fewshot.py --ship protonet                            meta_db/protonet-omniglot.npz
    python benchmarks/fewshot.py --report                                   results/fewshot.md

Protocol: Vinyals' split of Omniglot with rotations as classes; 423 test characters (1,692 classes with rotations) that
no learner has seen; 1000 episodes of a fixed seed, the same for all, 15 queries a class; mean and 95 % interval. What
is used is the state that was best on 100 episodes of the 172 validation characters, trained with one shot of five ways,
or with as many as it is judged by where there is such a training. Published figures are of their
papers, with their training budgets; ours are of the seconds that stand beside them, on a CPU unless the record says
otherwise. `RECIPES` says where a training differs from the paper's, to fit those seconds.

Letters:  t tasks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import conv2d, cross_entropy, relu

from autometa.fewshot import (
    Checkpoint,
    Trained,
    Training,
    TrainingSettings,
    find_learner,
    judge_checkpoint,
    load_data,
    make,
    train,
)
from autometa.fewshot.backends import BACKENDS, group_size, meta_gradient
from autometa.fewshot.checkpoint import FILE
from autometa.fewshot.episode import Episode
from autometa.fewshot.trainer import CURVE
from autometa.store.address import meta_db

ROOT = Path(__file__).resolve().parents[1]
OMNIGLOT = ROOT.parent / "shared" / "fewshot" / "omniglot28.npz"
RUNS = ROOT / ".venvs" / "fewshot_runs"
RESULTS = Path(__file__).resolve().parent / "results"
RECORD, CURVES, REPORT = RESULTS / "fewshot.jsonl", RESULTS / "fewshot_curves.jsonl", RESULTS / "fewshot.md"
LEARN2LEARN = ROOT / ".venvs" / "learn2learn"
STEPS = 20_000  # of a whole training; what --minutes leaves is done by the next call

# Where a training differs from the learner's own (its paper's): fewer images a step, a faster schedule, smaller
# networks. Options of the learner, and of its training.
RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "protonet": ({}, {"way": 30, "query": 3, "rate": 0.002, "half_life": 1000}),
    "matching": ({}, {"way": 10, "query": 5, "tasks": 2, "rate": 0.002, "half_life": 1500}),
    "maml": ({}, {"tasks": 8, "query": 3, "rate": 0.003, "schedule": "halving", "half_life": 2500}),
    "fomaml": ({}, {"tasks": 8, "query": 3, "rate": 0.003, "schedule": "halving", "half_life": 2500}),
    "anil": ({}, {"tasks": 8, "query": 3, "rate": 0.003, "schedule": "halving", "half_life": 2500}),
    "meta_sgd": ({}, {"tasks": 8, "query": 3, "rate": 0.002}),
    "reptile": ({"rate": 0.005}, {}),
    "lstm_meta": ({"width": 8}, {"query": 5, "rate": 0.003, "schedule": "halving", "half_life": 4000}),
    "learned_optimizer": ({"width": 8}, {"query": 5, "rate": 0.003, "schedule": "halving", "half_life": 4000}),
    "mann": ({}, {}),
    "pretrain_finetune": ({}, {"way": 20, "query": 2, "tasks": 1}),
    "task_embedding": ({}, {"rate": 0.002}),
    "dynamic": ({}, {"rate": 0.002}),
}
# With many ways, MAML's paper takes five smaller steps; one as with few ways costs a third (validation after three
# minutes .69, with five .56).
ONE_STEP = {"steps": 1, "test_steps": 3, "rate": 0.4}
MANY_WAYS: dict[str, dict[str, Any]] = {"maml": ONE_STEP, "fomaml": ONE_STEP}
TASKS = ((5, 1), (5, 5), (20, 1), (20, 5))
PUBLISHED = {  # accuracy %, Omniglot, Vinyals' split
    "mann": {(5, 1): "82.8", (5, 5): "94.9"},
    "matching": {(5, 1): "98.1", (5, 5): "98.9", (20, 1): "93.8", (20, 5): "98.5"},
    "protonet": {(5, 1): "98.8", (5, 5): "99.7", (20, 1): "96.0", (20, 5): "98.9"},
    "maml": {(5, 1): "98.7 ± .4", (5, 5): "99.9 ± .1", (20, 1): "95.8 ± .3", (20, 5): "98.9 ± .2"},
    "fomaml": {(5, 1): "98.3 ± .5", (5, 5): "99.2 ± .2", (20, 1): "89.4 ± .5", (20, 5): "97.9 ± .1"},
    "reptile": {(5, 1): "97.7", (5, 5): "99.5", (20, 1): "89.4", (20, 5): "97.1"},
}


def place(runs: Path, name: str, way: int, shot: int) -> Path:
    """Where the training of a learner with so many ways and shots is kept."""
    return runs / (name + (f"-{way}-ways" if way != 5 else "") + (f"-{shot}-shots" if shot != 1 else ""))


def recipe(name: str, way: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the learner and of its training; with many ways on half as many tasks a step, as in MAML's paper."""
    options, changes = RECIPES[name]
    if way <= 5:
        return options, changes
    many = dict(changes)
    if "tasks" in many:
        many["tasks"] = max(1, many["tasks"] // 2)
    if "way" in many:
        many["way"] = max(way, many["way"])
    return options | MANY_WAYS.get(name, {}), many


def train_one(
    name: str, folder: Path, *, way: int, shot: int, minutes: float, device: str, steps: int, look: int
) -> Checkpoint:
    """Trains a learner on Omniglot, or goes on."""
    options, changes = recipe(name, way)
    data = load_data("omniglot", str(OMNIGLOT))
    learner = make(find_learner(name), data.train.problem(way), options)
    training: Training = replace(learner.training, **changes)
    settings = TrainingSettings(steps, way=way, shot=shot, look_every=look, seconds=60 * minutes, patience=1000)
    return train(
        learner, data, settings, out=folder, resume=(folder / FILE).exists(), training=training, device=device,
        origin={"name": "omniglot", "path": "../shared/fewshot/omniglot28.npz", "options": {}}, tell=_tell(name),
    )  # fmt: skip


def judge_one(name: str, folder: Path, *, ways: list[int], episodes: int, device: str) -> list[dict[str, Any]]:
    """Test figures of a trained learner: a row for each protocol that it can be asked, with no fewer ways or shots."""
    state, rows = Checkpoint.load(folder, device=device, learner=name), []
    used, usual = state.settings, {"way": 5, "shot": 1, "steps": STEPS}
    any_way = Trained.of(state, device).any_way
    asked = "".join(f" --{option} {used[option]}" for option in usual if used[option] != usual[option])
    for way, shot in TASKS:
        if way not in ways or shot < used["shot"] or way < used["way"] or (way != used["way"] and not any_way):
            continue
        found = judge_checkpoint(state, episodes=episodes, way=way, shot=shot, path=str(OMNIGLOT), device=device)
        rows.append({
            "benchmark": "fewshot omniglot", **found, "step": state.step, "options": state.options,
            "training": used["training"], "backend": state.progress["backend"],
            "command": f"benchmarks/fewshot.py --train {name}{asked} --minutes {state.progress['seconds'] / 60:.0f}",
            **_where(),
        })  # fmt: skip
        print(f"{name:18} {way:2}w{shot}s  {100 * found['mean']:.2f} ± {100 * found['interval_95']:.2f}", flush=True)
    return rows


def ship(name: str, folder: Path) -> Path:
    """Leaves what a training found best in ``meta_db``, for `autometa.fewshot.PRETRAINED`: no path, no optimiser."""
    state, place = Checkpoint.load(folder, learner=name), meta_db() / f"{name}-omniglot.npz"
    data = {"name": "omniglot", "path": None, "options": {}, "fingerprint": state.data.get("fingerprint")}
    replace(state, weights={}, optimiser={}, random={}, data=data).save(place)
    place.chmod(0o644)
    return place


def curve_of(folder: Path) -> list[dict[str, Any]]:
    """The learning curve of a training, under the name of its folder."""
    lines = (folder / CURVE).read_text(encoding="utf-8").splitlines()
    return [{"benchmark": "fewshot curve", "learner": folder.name, **json.loads(line)} for line in lines]


def sinusoid(folder: Path, *, minutes: float, steps: int, device: str, episodes: int) -> list[dict[str, Any]]:
    """MAML on sine waves, 5 points: mean squared error after one and after ten steps."""
    data = load_data("sinusoid")
    learner = make(find_learner("maml"), data.train.problem(5), None)
    settings = TrainingSettings(
        steps, shot=5, look_every=2000, look_episodes=600, seconds=60 * minutes, patience=1000, backend="vmap"
    )
    state = train(
        learner, data, settings, out=folder, resume=(folder / FILE).exists(), device=device,
        origin={"name": "sinusoid", "path": None, "options": {}}, tell=_tell("maml, sinusoid"),
    )  # fmt: skip
    rows = []
    for inner in (0, 1, 10):
        found = judge_checkpoint(state, episodes=episodes, query=100, options={"test_steps": inner}, device=device)
        print(f"sinusoid, {inner} steps: MSE {found['mean']:.3f} ± {found['interval_95']:.3f}", flush=True)
        rows.append({"benchmark": "fewshot sinusoid", "test_steps": inner, **found, "step": state.step,
                     "command": f"benchmarks/fewshot.py --sinusoid --minutes {state.progress['seconds'] / 60:.0f}",
                     **_where()})  # fmt: skip
    return rows


# ------------------------------------------------------------------------------------------------- speed


def plain_gradient(weights: dict[str, torch.Tensor], episode: Episode, *, steps: int, rate: float, first: bool) -> Any:
    """MAML as a loop of `torch.autograd.grad` over tasks, with torch's own batch norm: what a person writes."""
    leaves = {k: w.detach().requires_grad_() for k, w in weights.items()}

    def loss(fast: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        h = x
        for k in range(4):
            h = conv2d(h, fast[f"conv{k}"], padding=1, stride=2)
            h = torch.nn.functional.batch_norm(
                h, None, None, fast[f"norm{k}_scale"], fast[f"norm{k}_shift"], training=True
            )
            h = relu(h)
        return cross_entropy(h.mean((2, 3)) @ fast["head"].T + fast["head_bias"], y)

    total = torch.zeros(())
    for i in range(len(episode.classes)):
        task, fast = episode.task(i), leaves
        for _ in range(steps):
            found = torch.autograd.grad(
                loss(fast, task.support.x, task.support.y), list(fast.values()), create_graph=not first
            )
            fast = {k: w - rate * g for (k, w), g in zip(fast.items(), found, strict=True)}
        total = total + loss(fast, task.query.x, task.query.y) / len(episode.classes)
    return torch.autograd.grad(total, list(leaves.values()))


def speed(device: str, *, quick: bool) -> list[dict[str, Any]]:
    """Episodes per second of MAML's meta-gradient: ours by back end, a plain loop, learn2learn where it is set up."""
    torch.set_num_threads(1)
    data = load_data("omniglot", str(OMNIGLOT))
    rows = []
    # Inner steps, and queries of a class.
    second = [("maml", steps, query) for query in (1, 5, 15) for steps in (1, 5)]
    kinds = (*second, ("fomaml", 1, 1))
    cases = [(5, 1, t, steps, query, name) for t in ((4,) if quick else (4, 16)) for name, steps, query in kinds]
    for way, shot, t, steps, query, name in cases:
        learner = make(find_learner(name), data.train.problem(way), {"steps": steps})
        weights = {k: w.to(device) for k, w in learner.initialise(torch.Generator().manual_seed(0)).items()}
        rng = np.random.default_rng(0)
        source = data.train.to(device)
        episode = source.episode(rng, source.propose(rng, t, way), shot, query)
        took = {
            backend: fastest(lambda e=episode, n=learner, w=weights, b=backend: meta_gradient(n, w, e, b), device)
            for backend in BACKENDS
            if backend in ("loop", "vmap", "mixed") or group_size(backend, t) < t
        }
        plain = fastest(
            lambda e=episode, w=weights, s=steps, r=learner.rate, f=name == "fomaml": plain_gradient(
                w, e, steps=s, rate=r, first=f
            ),
            device,
        )
        other = learn2learn_seconds(episode, steps=steps, rate=learner.rate, first=name == "fomaml", device=device)
        best = min(took, key=lambda key: took[key])
        row = {
            "benchmark": "fewshot speed", "learner": name, "way": way, "shot": shot, "query": query, "tasks": t,
            "inner_steps": steps, "threads": torch.get_num_threads(), "backend": best,
            "seconds": {key: round(value, 5) for key, value in took.items()}, "plain_loop_seconds": round(plain, 5),
            "learn2learn_seconds": other, "episodes_per_second": round(t / took[best], 1),
            "against_plain_loop": round(plain / took[best], 2),
            "against_learn2learn": None if other is None else round(other / took[best], 2),
            "peak_memory_mb_so_far": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), **_where(),
        }  # fmt: skip
        rows.append(row)
        said = f"{name:7} {t:2} tasks, {steps} steps, {query:2} queries: {row['episodes_per_second']:8.1f} episodes/s"
        against = f"plain loop x{row['against_plain_loop']}, learn2learn x{row['against_learn2learn']}"
        print(f"{said} ({best}); {against}", flush=True)
    return rows


L2L = """
import sys, time, types, json
import torch, numpy as np
torch.set_num_threads(1)
from torch import nn
import learn2learn as l2l
a = np.load(sys.argv[1]); steps, rate = int(sys.argv[2]), float(sys.argv[3])
first, device = sys.argv[4] == "1", sys.argv[5]
sx, sy, qx, qy = (torch.from_numpy(a[k]).to(device) for k in ("sx", "sy", "qx", "qy"))
def block(i):
    return [nn.Conv2d(i, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64, track_running_stats=False), nn.ReLU()]
class Mean(nn.Module):
    def forward(self, h): return h.mean((2, 3))
net = nn.Sequential(*block(1), *block(64), *block(64), *block(64), Mean(), nn.Linear(64, int(sy.max()) + 1)).to(device)
maml = l2l.algorithms.MAML(net, lr=rate, first_order=first); loss = nn.functional.cross_entropy
def once():
    maml.zero_grad()
    for i in range(len(sx)):
        task = maml.clone()
        for _ in range(steps): task.adapt(loss(task(sx[i]), sy[i]))
        (loss(task(qx[i]), qy[i]) / len(sx)).backward()
    if device == "cuda": torch.cuda.synchronize()
once(); took = []; clock = time.perf_counter if device == "cuda" else time.process_time
for _ in range(4):
    t = clock(); once(); took.append(clock() - t)
print(min(took))
"""


def learn2learn_seconds(episode: Episode, *, steps: int, rate: float, first: bool, device: str) -> float | None:
    """The same meta-gradient by learn2learn, in its own environment; None where it is not set up."""
    python = LEARN2LEARN / "bin" / "python"
    if not python.exists():
        return None
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "episode.npz"
        arrays = {"sx": episode.support.x, "sy": episode.support.y, "qx": episode.query.x, "qy": episode.query.y}
        np.savez(file, **{k: v.cpu().numpy() for k, v in arrays.items()})
        given = [str(python), "-c", L2L, str(file), str(steps), str(rate), str(int(first)), device]
        ran = subprocess.run(given, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if ran.returncode:
        print(f"learn2learn failed: {ran.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return round(float(ran.stdout.strip().splitlines()[-1]), 5)


def setup() -> None:
    """learn2learn 0.2.0's MAML in an environment of its own that shares this one's torch.

    The package itself does not install on Python 3.11: its C was written by an old Cython, and importing it needs gym,
    torchvision and others. Its MAML is plain Python, so that alone is taken from the source package, unchanged
    (`algorithms/maml.py`, `algorithms/base_learner.py`, `utils`), under an ``__init__`` that imports nothing else.
    """
    import shutil
    import sysconfig
    import tarfile
    import tempfile

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(LEARN2LEARN)], check=True)
    packages = next((LEARN2LEARN / "lib").glob("python*/site-packages"))
    (packages / "torch_of_the_project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "learn2learn"]
        subprocess.run([*fetch, "learn2learn==0.2.0", "-d", folder], check=True)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        source = next(path for path in Path(folder).iterdir() if path.is_dir()) / "learn2learn"
        home = packages / "learn2learn"
        (home / "algorithms").mkdir(parents=True, exist_ok=True)
        for name in ("_version.py", "algorithms/maml.py", "algorithms/base_learner.py"):
            shutil.copy(source / name, home / name)
        shutil.copytree(source / "utils", home / "utils", dirs_exist_ok=True)
    (home / "__init__.py").write_text("from . import algorithms\nfrom ._version import __version__\n", encoding="utf-8")
    (home / "algorithms" / "__init__.py").write_text("from .maml import MAML\n", encoding="utf-8")
    check = "import learn2learn as l2l; print('learn2learn', l2l.__version__, l2l.algorithms.MAML)"
    subprocess.run([str(LEARN2LEARN / "bin" / "python"), "-c", check], check=True)


# ------------------------------------------------------------------------------------------------- report


def report() -> None:
    """The newest row of each learner and protocol as a table, the published figure first."""
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in RECORD.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        keys = {
            "fewshot omniglot": ("learner", "way", "shot"),
            "fewshot sinusoid": ("test_steps",),
            "fewshot speed": ("learner", "tasks", "inner_steps", "query"),
        }[row["benchmark"]]
        newest[row["benchmark"], *(row[key] for key in keys)] = row
    rows = list(newest.values())
    lines = [
        "# Few-shot learners beside their published figures", "",
        "Written by `benchmarks/fewshot.py --report`. Omniglot, Vinyals' split with rotations as classes; accuracy in",
        "% over the test episodes (1000 unless the cell says otherwise), ± 95 %; published / ours. (t): batch norm was",
        "transductive. Our trainings took minutes on a part of one busy CPU core: learners far below their paper are",
        "under-trained, as their curves in `fewshot_curves.jsonl` show. Two numbers of steps: some shots or ways were",
        "trained for apart.", "",
        "| learner | " + " | ".join(f"{way}w{shot}s" for way, shot in TASKS) + " | steps | wall minutes | back end |",
        "|---|" + "---|" * (len(TASKS) + 3),
    ]  # fmt: skip
    omniglot = [row for row in rows if row["benchmark"] == "fewshot omniglot"]
    for name in dict.fromkeys(row["learner"] for row in omniglot):
        own = {(row["way"], row["shot"]): row for row in omniglot if row["learner"] == name}
        any_row = next(iter(own.values()))
        spent = dict.fromkeys((row["trained_steps"], f"{row['trained_seconds'] / 60:.1f}") for row in own.values())
        steps, minutes = (" and ".join(str(part) for part in parts) for parts in zip(*spent, strict=True))
        cells = []
        for task in TASKS:
            ours = "–"
            if task in own:
                ours = f"{100 * own[task]['mean']:.2f} ± {100 * own[task]['interval_95']:.2f}"
                ours += "" if own[task]["episodes"] == 1000 else f" ({own[task]['episodes']} episodes)"
            cells.append(f"{PUBLISHED.get(name, {}).get(task, '–')} / {ours}")
        mark = " (t)" if any_row["transductive"] else ""
        lines.append(
            f"| {name}{mark} | " + " | ".join(cells)
            + f" | {steps} | {minutes} | {any_row['backend']} |"
        )  # fmt: skip
    for row in rows:
        if row["benchmark"] == "fewshot sinusoid":
            published = {1: ".67", 10: ".35"}.get(row["test_steps"], "–")
            lines += (
                [] if any("sine waves" in line for line in lines) else ["", "MAML on sine waves, 5 points, MSE:", ""]
            )
            lines.append(
                f"- after {row['test_steps']} steps: published {published}, ours {row['mean']:.3f} ± "
                f"{row['interval_95']:.3f} ({row['step']} training steps, {row['trained_seconds'] / 60:.1f} minutes)"
            )
    speeds = [row for row in rows if row["benchmark"] == "fewshot speed"]
    if speeds:
        columns = (
            "learner",
            "tasks",
            "inner steps",
            "queries",
            "episodes/s",
            "back end",
            "x plain loop",
            "x learn2learn",
        )
        lines += ["", f"Meta-gradients, conv4-64 with strides, 5-way 1-shot, {speeds[0]['threads']} thread:", ""]
        lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        lines += [
            f"| {r['learner']} | {r['tasks']} | {r['inner_steps']} | {r['query']} | {r['episodes_per_second']} | "
            f"{r['backend']} | {r['against_plain_loop']} | {r['against_learn2learn'] or '–'} |"
            for r in speeds
        ]
    REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def fastest(call: Callable[[], Any], device: str) -> float:
    """Least of three calls after a first one; on a CPU in seconds of the processor, for machines that are busy."""
    on_gpu = device.startswith("cuda")
    clock, took = time.perf_counter if on_gpu else time.process_time, []
    for _ in range(4):
        begun = clock()
        call()
        if on_gpu:
            torch.cuda.synchronize()
        took.append(clock() - begun)
    return min(took[1:])


def _where() -> dict[str, Any]:
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "versions": {name: version(name) for name in ("autometa-ml", "torch", "numpy")},
        "python": platform.python_version(),
        "machine": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "revision": revision.stdout.strip(),
    }  # fmt: skip


def _tell(name: str) -> Callable[[int, int, str], None]:
    return lambda done, total, text: print(f"{name}: {done}/{total}  {text}", flush=True)


def _record(rows: list[dict[str, Any]], file: Path = RECORD) -> None:
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", nargs="+", choices=list(RECIPES), metavar="LEARNER", help="train these, or go on")
    parser.add_argument("--way", type=int, default=5, help="of the episodes to train on")
    parser.add_argument("--shot", type=int, default=1, help="of the episodes to train on")
    parser.add_argument("--minutes", type=float, default=20.0, help="for each training")
    parser.add_argument("--steps", type=int, default=STEPS, help="of a whole training: its schedule ends there")
    parser.add_argument("--look", type=int, default=250, help="steps between two validation steps")
    parser.add_argument("--judge", nargs="*", metavar="LEARNER", help="test figures of these, or of all trained ones")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--ways", nargs="+", type=int, default=[5, 20], help="of --judge")
    parser.add_argument("--sinusoid", action="store_true")
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--gpu", action="store_true", help="train and judge the published rows within --seconds")
    parser.add_argument("--seconds", type=float, default=540.0, help="of --gpu")
    parser.add_argument("--ship", nargs="+", default=[], metavar="LEARNER", help="leave these in meta_db")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where trainings are kept")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="a minute of each, nothing recorded")
    asked = parser.parse_args()
    torch.set_num_threads(1 if asked.device == "cpu" else torch.get_num_threads())
    if asked.gpu:
        from fewshot_gpu import conduct, keeper

        conduct(
            load_data("omniglot", str(OMNIGLOT)), device=asked.device, seconds=asked.seconds,
            keep=print if asked.quick else keeper(asked.device, _where()),
            episodes=20 if asked.quick else asked.episodes,
        )  # fmt: skip
        return
    rows: list[dict[str, Any]] = []
    minutes, episodes = (0.2, 20) if asked.quick else (asked.minutes, asked.episodes)
    if asked.quick:
        import tempfile

        asked.runs = Path(tempfile.mkdtemp())
        asked.train, asked.judge, asked.sinusoid, asked.speed = ["protonet", "maml"], [], True, True
    if asked.setup:
        setup()
    for name in asked.train or []:
        train_one(
            name, place(asked.runs, name, asked.way, asked.shot), way=asked.way, shot=asked.shot, minutes=minutes,
            device=asked.device, steps=asked.steps, look=10 if asked.quick else asked.look,
        )  # fmt: skip
    if asked.judge is not None:
        for name in asked.judge or RECIPES:
            folders = [folder for task in TASKS if ((folder := place(asked.runs, name, *task)) / FILE).exists()]
            if asked.judge and not folders:
                parser.error(f"{name} is not trained yet: --train {name}")
            for folder in folders:
                found = judge_one(name, folder, ways=asked.ways, episodes=episodes, device=asked.device)
                if not asked.quick:
                    _record(found)
    for name in asked.ship:
        print(ship(name, place(asked.runs, name, asked.way, asked.shot)))
    if asked.sinusoid:
        rows += sinusoid(asked.runs / "sinusoid", minutes=minutes, steps=70_000, device=asked.device, episodes=episodes)
    if asked.speed:
        rows += speed(asked.device, quick=asked.quick)
    if not asked.quick and (rows or asked.judge is not None):
        _record(rows)
        places = [place(asked.runs, name, *task) for name in RECIPES for task in TASKS] + [asked.runs / "sinusoid"]
        trained = {folder.name: folder for folder in places if (folder / CURVE).exists()}
        kept = [json.loads(line) for line in CURVES.read_text(encoding="utf-8").splitlines()] if CURVES.exists() else []
        curves = [line for line in kept if line["learner"] not in trained]  # of trainings that are elsewhere
        CURVES.unlink(missing_ok=True)
        _record(curves + [line for folder in trained.values() for line in curve_of(folder)], CURVES)
    if asked.report:
        report()


if __name__ == "__main__":
    main()
