"""Trials that run on a GPU say so and take turns on it, while all else goes on; shown with GPUs that are none."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_wine

from autometa import __version__
from autometa.cluster import Cluster
from autometa.cluster.work import Tried, try_out
from autometa.evaluation import Attempt, Cancelled, Evaluation, Local, State, plan_splits, shared_isolation
from autometa.evaluation import machine as machine_module
from autometa.evaluation.machine import visible_gpus
from autometa.evaluation.trial import _versions
from autometa.families import FAMILIES
from autometa.search import Settings, search
from autometa.search.gpus import Gpus
from autometa.search.plan import SearchPlan
from autometa.store import MetaStore, TaskRecord
from autometa.task import make_task
from autometa.transfer.cost import Cost

NETWORK = {"family": "mlp", "mlp.epochs": 5}


class WithGpus(Local):
    """This machine with GPUs that it does not have: what is sent to one is noted, and done on the processor."""

    def __init__(self, *devices: str, slow: float = 0.0) -> None:
        super().__init__(shared_isolation())
        self.devices, self.slow = devices, slow
        self.seen: list[tuple[str, str]] = []  # family, device
        self.running: Counter[str] = Counter()  # by device
        self.most: Counter[str] = Counter()
        self.beside = 0  # trials of other families that began while a GPU was in use
        self.lock = threading.Lock()

    @property
    def gpus(self):
        return self.devices

    @property
    def cpus(self):
        return 3

    @property
    def most_threads(self):
        return 3

    def _noted(self, family, device):
        with self.lock:
            self.seen.append((family, device))
            self.running[device] += 1
            self.most[device] = max(self.most[device], self.running[device])
            self.beside += device == "cpu" and any(self.running[one] for one in self.devices)

    def evaluate(self, folder, attempt, **how):
        self._noted(attempt.config["family"], attempt.device)
        if attempt.device in self.devices:
            time.sleep(self.slow)
        try:
            return super().evaluate(folder, replace(attempt, device="cpu"), **how)
        finally:
            with self.lock:
                self.running[attempt.device] -= 1

    def written(self, function, folder, config, *, device, **how):
        self._noted(config["family"], device)
        try:
            return super().written(function, folder, config, device="cpu", **how)
        finally:
            with self.lock:
                self.running[device] -= 1


def wine():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return make_task(X, y=y, name="wine")


def searched(executor, tmp_path, **asked):
    usual = {"trials": 9, "jobs": 3, "families": ("mlp", "knn", "naive_bayes"), "cold": True, "remember": False}
    space = {"mlp.epochs": 5, "mlp.members": 1, "mlp.width": 32}
    return search(wine(), Settings(**{**usual, **asked, "space": space}), tmp_path / "run", executor=executor)


def test_networks_take_turns_on_one_gpu_and_others_go_on_beside(tmp_path):
    executor = WithGpus("cuda", slow=1.0)
    result = searched(executor, tmp_path)
    assert all(row.evaluation.state in ("complete", "stopped") for row in result.trials)
    assert {device for family, device in executor.seen if family == "mlp"} == {"cuda"}
    assert {device for family, device in executor.seen if family != "mlp"} == {"cpu"}
    assert executor.most["cuda"] == 1
    assert executor.beside > 0
    for row in result.trials:  # what is learned of costs is without the waiting
        assert row.evaluation.seconds <= row.finished - row.started + 0.5


def test_each_of_two_gpus_has_one_and_a_search_of_networks_alone_waits_its_turn(tmp_path):
    executor = WithGpus("cuda:0", "cuda:1", slow=0.5)
    result = searched(executor, tmp_path, families=("mlp",), trials=5)
    assert len(result.trials) == 5
    assert {device for _, device in executor.seen} == {"cuda:0", "cuda:1"}
    assert executor.most == Counter({"cuda:0": 1, "cuda:1": 1})


def test_on_the_processor_or_where_there_is_no_gpu_all_is_as_before(tmp_path):
    executor = WithGpus("cuda")
    searched(executor, tmp_path / "cpu", device="cpu", trials=4)
    assert {device for _, device in executor.seen} == {"cpu"}
    none = WithGpus()
    searched(none, tmp_path / "none", trials=4)
    assert {device for family, device in none.seen if family == "mlp"} <= {"auto"}  # which torch resolves


def test_a_trial_says_that_it_ran_on_a_gpu():
    assert _versions(NETWORK, "cuda:1")["device"] == "cuda"
    assert "device" not in _versions(NETWORK, "cpu")
    assert "device" not in _versions({"family": "lightgbm"}, "cuda")  # which runs on the processor all the same


def timed(seconds: float, device: str | None, score: float = 0.8, **config: float) -> Evaluation:
    """A trial that took so long, on a device."""
    versions = {} if device is None else {"device": device}
    return Evaluation(
        {**NETWORK, **config}, State.COMPLETE, None, {"roc_auc": score}, {"roc_auc": (score,)}, seconds, 0.0,
        int(seconds * 1000), 0, 100, versions,
    )  # fmt: skip


def test_seconds_of_a_gpu_tell_a_machine_without_one_nothing(tmp_path):
    record = TaskRecord("f" * 64, "t", "binary", "roc_auc", 100, 5, 2)
    both, on_gpu, on_cpu = {"mlp.width": 1}, {"mlp.width": 2}, {"mlp.width": 3}
    store = MetaStore(str(tmp_path / "s.db"))
    store.add(record, [timed(60.0, None, **both)])  # a block of before, without devices
    store.add(record, [timed(3.0, "cuda", **both), timed(4.0, "cuda", **on_gpu), timed(50.0, None, **on_cpu)])
    store.add(record, [timed(62.0, None, **both)])

    def told(memory: MetaStore, *, gpu: bool) -> dict[int, float]:
        past = memory.past(kind="binary", metric="roc_auc", gpu=gpu)
        np.testing.assert_allclose(past.scores, 0.8)  # what they are worth is the same everywhere
        return {config["mlp.width"]: value for config, value in zip(past.configs, past.seconds[0], strict=True)}

    store.export(tmp_path / "out")
    again = MetaStore(str(tmp_path / "again.db"))
    again.import_(tmp_path / "out")
    for memory in (store, again):
        without = told(memory, gpu=False)
        assert (without[1], without[3]) == (61.0, 50.0)
        assert math.isnan(without[2])
        assert told(memory, gpu=True) == {1: 3.0, 2: 4.0, 3: 50.0}
        past = memory.past(kind="binary", metric="roc_auc")
        assert Cost.learned(past.records, past.configs, past.seconds).of(None).min() > 30


def test_a_search_asks_the_memory_for_the_seconds_of_its_own_device(tmp_path, monkeypatch):
    asked = []
    past = MetaStore.past
    monkeypatch.setattr(MetaStore, "past", lambda self, **how: asked.append(how.get("gpu")) or past(self, **how))
    cases = (("a", WithGpus("cuda"), "auto"), ("b", WithGpus("cuda"), "cpu"), ("c", WithGpus(), "auto"))
    for name, executor, device in cases:
        searched(executor, tmp_path / name, device=device, trials=1, cold=False)
    assert asked == [True, False, False]


def test_who_waits_is_heard_when_it_is_over_and_gives_back_what_it_had():
    gpus = Gpus("cuda", ["cuda"])
    with gpus.held(NETWORK) as device:
        assert device == "cuda"
        with pytest.raises(Cancelled), gpus.held(NETWORK, lambda: True):
            raise AssertionError("there is no second GPU")
        with pytest.raises(ZeroDivisionError), gpus.held(NETWORK, lambda: 1 // 0 > 0):
            raise AssertionError("there is no second GPU")
    with pytest.raises(ValueError, match="broken"), gpus.held(NETWORK):
        raise ValueError("broken")
    with gpus.held(NETWORK) as device:  # it is free again
        assert device == "cuda"


def test_a_family_from_outside_that_says_nothing_gets_the_device_that_was_asked_for():
    assert FAMILIES["mlp"].uses_gpu
    assert not FAMILIES["lightgbm"].uses_gpu
    outside = replace(FAMILIES["knn"], name="outside")
    FAMILIES["outside"] = outside
    try:
        with Gpus("cuda", ["cuda"]).held({"family": "outside"}) as device:
            assert device == "cuda"
    finally:
        FAMILIES.pop("outside")


@pytest.mark.parametrize(
    ("files", "build", "shown", "found"),
    [
        (0, "2.13.0", None, ()),
        (1, "2.13.0", None, ("cuda",)),
        (2, "2.13.0", None, ("cuda:0", "cuda:1")),
        (4, "2.13.0", "2,3", ("cuda:0", "cuda:1")),
        (4, "2.13.0", "", ()),
        (4, "2.13.0", "0,-1,2", ("cuda",)),
        (2, "2.13.0+cpu", None, ()),
    ],
)
def test_gpus_are_counted_as_torch_would_without_loading_it(files, build, shown, found, tmp_path, monkeypatch):
    for k in range(files):
        (tmp_path / f"nvidia{k}").touch()
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr(machine_module, "DEVICES", tmp_path)
    monkeypatch.setattr(machine_module, "version", lambda name: build)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if shown is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert visible_gpus() == found


def test_plans_and_results_do_not_depend_on_gpus_that_nothing_uses(tmp_path):
    settings = Settings(trials=3, families=("knn",), cold=True, remember=False)
    plans = [SearchPlan.of(wine(), settings, 3, machines=executor) for executor in (WithGpus(), WithGpus("cuda"))]
    assert plans[0].jobs == plans[1].jobs
    found = [
        search(wine(), settings, tmp_path / str(k), executor=executor)
        for k, executor in enumerate((WithGpus(), WithGpus("cuda")))
    ]
    assert np.allclose(found[0].oof, found[1].oof)


class Future:
    """What has been answered."""

    status = "finished"

    def __init__(self, answer) -> None:
        self.answer = answer

    def result(self, timeout):
        return self.answer

    def release(self):
        """Nothing is held."""


class Dask:
    """A client of a cluster with one worker that has a GPU; what is submitted is noted, and answered at once."""

    status = "running"

    def __init__(self, answer) -> None:
        self.answer, self.asked = answer, []

    def wait_for_workers(self, count, timeout):
        """It is there."""

    def run(self, function, *args, **how):
        return {"worker": {"version": __version__, "cores": 2}}

    def scheduler_info(self, n_workers):
        return {"workers": {"worker": {"resources": {"cores": 2, "GPU": 1}}}}

    def submit(self, function, order, *args, resources, **how):
        self.asked.append(resources)
        answer = self.answer if function is try_out else b"model"
        return Future(answer)


def test_a_cluster_is_asked_for_a_gpu_by_trials_and_fits_that_hold_one_alone(tmp_path):
    pytest.importorskip("distributed")
    task = wine()
    task.save(tmp_path / "task")
    attempt = Attempt(NETWORK, plan_splits(task, seed=0), 0)
    done = Evaluation(NETWORK, State.COMPLETE, None, {}, {}, 1.0, 0.1, 0, 0, 90, {})
    client = Dask(Tried(done))
    executor = Cluster(client)
    assert executor.gpus == ("cuda",)
    for device in ("cuda", "cpu", "auto"):
        executor.evaluate(tmp_path / "task", replace(attempt, device=device), seconds=9)
        executor.written(print, tmp_path / "task", NETWORK, path=tmp_path / "x", seconds=9, device=device, threads=2)
    assert client.asked == [
        {"cores": 1, "GPU": 1}, {"cores": 2, "GPU": 1}, {"cores": 1}, {"cores": 2}, {"cores": 1}, {"cores": 2}
    ]  # fmt: skip
