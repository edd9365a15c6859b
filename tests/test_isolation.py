"""A call in a process of its own returns or is killed with a reason, and leaves nothing behind, whatever happens."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from autometa.errors import InputError
from autometa.evaluation import Cancelled, Isolation, Killed, available_cpus, available_ram, shared_isolation
from autometa.evaluation.forkserver import children, kill

MB = 1 << 20
PATIENCE = 300.0  # seconds for what ends by itself, however slow the machine
ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")


@pytest.fixture(scope="module")
def isolation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials")
    (folder / "trials_of_test_isolation.py").write_text(TRIALS)
    preload = ["numpy", "trials_of_test_isolation"]
    with pytest.MonkeyPatch.context() as patch, Isolation(preload=preload) as isolation:
        patch.syspath_prepend(folder)
        while not isolation.call(eval, f"{preload[-1]!r} in __import__('sys').modules", seconds=PATIENCE):
            pass  # it loads one module at a time, and a trial may come between
        yield isolation


@pytest.fixture
def moment(isolation) -> float:
    """Seconds, many times what a call takes here and now: by then whatever a trial does at once is done."""
    began = time.monotonic()
    isolation.call(int, seconds=PATIENCE)
    return max(0.5, 20 * (time.monotonic() - began))


TRIALS = '''
import os, signal, subprocess, sys, time

def counting(up_to, then):
    yield from range(up_to)
    time.sleep(then)

def orphan():
    """Leaves behind a process that is neither its child nor of its session."""
    subprocess.run(["sh", "-c", "setsid sleep 611 & setsid sleep 612 &"])
    return os.getpid()

def family(then):
    subprocess.Popen(["sleep", "613"])
    subprocess.Popen(["sh", "-c", "setsid sleep 614 & wait"])
    time.sleep(then)

def meet(folder, number, all_of_them):
    """Waits until so many have come."""
    (folder / str(number)).touch()
    while (here := len(os.listdir(folder))) < all_of_them:
        time.sleep(0.02)
    return here

def hog_in_a_child(size):
    subprocess.run([sys.executable, "-c", f"import time; x = b'1' * {size}; time.sleep(30)"])

def signals():
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN, os.getsid(0) == os.getpid()

def printing():
    print("on standard output")
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\\n")
    sys.stdout.flush()
    os.abort()
'''


@pytest.fixture(scope="module")
def trials(isolation):
    import trials_of_test_isolation

    return trials_of_test_isolation


def sleepers(*seconds: int) -> list[psutil.Process]:
    """The processes that sleep for one of these numbers of seconds."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline()[:1] == ["sleep"] and int(process.cmdline()[1]) in seconds:
                found.append(process)
        except (psutil.Error, IndexError, ValueError):
            continue
    return found


def eventually(condition, seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def killed(isolation, *args, **kwargs) -> Killed:
    with pytest.raises(Killed) as end:
        isolation.call(*args, **kwargs)
    return end.value


def test_a_call_returns_what_the_function_returns_in_another_process(isolation):
    assert isolation.call(divmod, 7, 3, seconds=PATIENCE) == (2, 1)
    assert isolation.call(int, "ff", base=16, seconds=PATIENCE) == 255
    assert isolation.call(os.getpid, seconds=PATIENCE) != os.getpid()


def test_a_large_value_arrives_whole(isolation):
    value = isolation.call(np.arange, 1_500_000, seconds=PATIENCE)
    assert np.array_equal(value, np.arange(1_500_000))


def test_a_generator_hands_over_its_last_value(isolation, trials):
    assert isolation.call(trials.counting, 3, 0.0, seconds=PATIENCE) == 2


def test_what_a_generator_handed_over_before_its_deadline_is_kept(isolation, trials, moment):
    end = killed(isolation, trials.counting, 2, 3600.0, seconds=moment)
    assert (end.state, end.partial) == ("timeout", 1)


def test_a_hang_is_killed_at_its_deadline(isolation):
    end = killed(isolation, time.sleep, 3600, seconds=0.3)
    assert (end.state, end.reason) == ("timeout", "killed at its deadline of 0.3 s")


def test_a_process_that_fills_its_memory_is_killed_at_the_cap(isolation):
    end = killed(isolation, np.ones, 400 * MB, seconds=PATIENCE, max_ram=300 * MB)
    assert end.state == "memory"
    assert "over its cap of 315 MB" in end.reason
    assert 300 * MB < end.peak_ram < 1500 * MB


def test_the_cap_counts_what_the_process_started(isolation, trials):
    end = killed(isolation, trials.hog_in_a_child, 300 * MB, seconds=PATIENCE, max_ram=250 * MB)
    assert end.state == "memory"


def test_memory_that_the_system_refuses_is_a_matter_of_memory(isolation):
    end = killed(isolation, bytes, 1 << 60, seconds=PATIENCE)
    assert (end.state, end.reason) == ("memory", "MemoryError")


def test_the_peak_of_memory_is_measured(isolation):
    little = isolation.run(int, seconds=PATIENCE).peak_ram
    assert isolation.run(np.ones, 5 * MB, seconds=PATIENCE).peak_ram > little + 30 * MB


def test_a_crash_is_named_by_its_signal(isolation):
    end = killed(isolation, ctypes.string_at, 0, seconds=PATIENCE)
    assert (end.state, end.reason) == ("crashed", "killed by SIGSEGV (Segmentation fault)")


def test_an_exit_is_named_by_its_code(isolation):
    end = killed(isolation, os._exit, 7, seconds=PATIENCE)
    assert (end.state, end.reason) == ("crashed", "ended by itself with exit code 7")


def test_a_kill_from_outside_is_recorded(isolation):
    end = killed(isolation, os.system, "kill -9 $PPID", seconds=PATIENCE)
    assert end.state == "crashed"
    assert "killed by SIGKILL from outside" in end.reason


def test_a_kill_by_the_system_for_want_of_memory_is_recorded(isolation, monkeypatch):
    counts = iter([4, 5])  # as /proc/vmstat counts them, before and after
    monkeypatch.setattr("autometa.evaluation.watch.oom_kills", lambda: next(counts))
    end = killed(isolation, os.system, "kill -9 $PPID", seconds=PATIENCE)
    assert (end.state, end.reason) == ("memory", "killed by the system, which had run out of memory")


def test_a_machine_that_runs_out_of_memory_loses_the_trial(isolation, monkeypatch):
    monkeypatch.setattr("autometa.evaluation.watch.available_ram", lambda: 1 * MB)
    end = killed(isolation, time.sleep, 60, seconds=PATIENCE)
    assert end.state == "memory"
    assert "the machine had 1 MB left" in end.reason


def test_what_a_crash_printed_last_is_kept_and_nothing_reaches_our_output(isolation, trials, capfd):
    end = killed(isolation, trials.printing, seconds=PATIENCE)
    assert (end.state, end.reason) == ("memory", "aborted when no more memory could be had (std::bad_alloc)")
    assert capfd.readouterr() == ("", "")


def test_an_exception_is_its_reason_and_its_traceback_is_kept(isolation):
    end = killed(isolation, int, "x", seconds=PATIENCE)
    assert (end.state, end.reason) == ("failed", "ValueError: invalid literal for int() with base 10: 'x'")
    assert "Traceback" in end.details


def test_a_function_that_cannot_be_found_is_a_failure(isolation):
    end = killed(isolation, Unfindable(), seconds=PATIENCE)
    assert end.state == "failed"
    assert "no_such_module" in end.reason


class Unfindable:
    def __call__(self):
        raise AssertionError("it is never called")

    def __reduce__(self):
        return __import__, ("no_such_module",)


def test_a_value_that_cannot_be_pickled_is_a_failure(isolation):
    assert killed(isolation, threading.Lock, seconds=PATIENCE).state == "failed"


def test_a_trial_ignores_ctrl_c_and_leads_its_own_session(isolation, trials):
    assert isolation.call(trials.signals, seconds=PATIENCE) == (True, True)


def test_threads_may_call_at_once(isolation):
    results: dict[int, int] = {}

    def one(number: int) -> None:
        results[number] = isolation.call(divmod, number * 10, 10, seconds=PATIENCE)[0]

    def late() -> None:
        results[-1] = killed(isolation, time.sleep, 60, seconds=0.5).state

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)] + [threading.Thread(target=late)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: number for number in range(12)} | {-1: "timeout"}


def test_calls_run_side_by_side(isolation, trials, tmp_path):
    """Each waits for all the others: one after the other, the first would wait for ever."""
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(isolation.call, trials.meet, tmp_path, k, 6, seconds=PATIENCE) for k in range(6)]
        assert [call.result() for call in calls] == [6] * 6


def test_what_a_trial_started_ends_with_it(isolation, trials, moment):
    killed(isolation, trials.family, 3600, seconds=moment)
    assert eventually(lambda: not sleepers(613, 614))


def test_who_is_ended_cannot_answer_for_its_children(monkeypatch):
    end, ended = os.kill, []
    monkeypatch.setattr(os, "kill", lambda number, how: (ended.append(number), end(number, how)))
    with subprocess.Popen(["sh", "-c", "sleep 615; exit 0"]) as process:
        assert eventually(lambda: len(children(process.pid)) == 1)
        (child,) = children(process.pid)
        kill(process.pid)
    assert ended == [process.pid, child]
    assert process.returncode == -signal.SIGKILL
    assert eventually(lambda: not sleepers(615))


def test_what_a_trial_left_behind_ends_with_it(isolation, trials):
    isolation.call(trials.orphan, seconds=PATIENCE)
    assert eventually(lambda: not sleepers(611, 612))


def test_cancelling_ends_every_call_and_the_next_one_runs(isolation):
    ends: list[type] = []

    def one() -> None:
        with pytest.raises(Cancelled) as end:
            isolation.call(time.sleep, 3600, seconds=3600)
        ends.append(end.type)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(isolation._running) == 3)
    isolation.cancel_all()
    for thread in threads:
        thread.join(PATIENCE)
    assert ends == [Cancelled] * 3
    assert isolation.call(divmod, 7, 3, seconds=PATIENCE) == (2, 1)


def test_an_interrupt_of_the_caller_ends_the_trial(isolation, trials, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins by ignoring it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        isolation.call(trials.family, 3600, seconds=3600)
    timer.join()
    assert eventually(lambda: not sleepers(613, 614))


def test_losing_the_forkserver_loses_its_trials_and_the_next_call_starts_another(trials):
    with Isolation(preload=()) as isolation:
        isolation.warm_up()
        ends: list[Killed] = []
        thread = threading.Thread(target=lambda: ends.append(killed(isolation, trials.family, 3600, seconds=3600)))
        thread.start()
        assert eventually(lambda: len(sleepers(613, 614)) == 2)
        for _ in range(2):  # the watchdog looks again, and a look that began before counts no more
            isolation._running.update(dict.fromkeys(isolation._running, 0))
            assert eventually(lambda: all(isolation._running.values()))
        isolation._server.kill()
        thread.join(PATIENCE)
        assert ends[0].state == "crashed"
        assert "lost with the process that had started it" in ends[0].reason
        assert eventually(lambda: not sleepers(613, 614))
        assert isolation.call(divmod, 7, 3, seconds=PATIENCE) == (2, 1)


def test_a_forkserver_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr("autometa.evaluation.isolation._PROGRAM", "raise OSError('no such luck')")
    with Isolation(preload=()) as isolation:
        end = killed(isolation, int, seconds=PATIENCE)
    assert (end.state, end.reason) == ("crashed", "lost with the process that had started it: OSError: no such luck")


def test_closing_leaves_no_process(trials, alive):
    isolation = Isolation(preload=["no_such_module"])

    def cancelled() -> None:
        with pytest.raises(Cancelled):
            isolation.call(trials.family, 3600, seconds=3600)

    thread = threading.Thread(target=cancelled)
    thread.start()
    try:
        assert eventually(lambda: len(sleepers(613, 614)) == 2)
        server = isolation._server.pid
    finally:
        isolation.close()
        thread.join(PATIENCE)
    assert eventually(lambda: not sleepers(613, 614) and not alive(server))


def test_warming_up_does_not_wait(tmp_path, monkeypatch):
    (tmp_path / "endless.py").write_text("import time; time.sleep(3600)")
    monkeypatch.syspath_prepend(tmp_path)
    with Isolation(preload=["endless"]) as isolation:
        isolation.warm_up()
        assert isolation._server.poll() is None  # still loading


def test_a_fork_of_the_caller_has_a_forkserver_of_its_own(isolation):
    server = isolation._server.pid
    process = os.fork()
    if process == 0:
        try:
            same = isolation.call(divmod, 7, 3, seconds=PATIENCE) == (2, 1) and isolation._server.pid != server
            isolation.close()
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert isolation.call(divmod, 7, 3, seconds=PATIENCE) == (2, 1)
    assert isolation._server.pid == server


def test_an_input_error_keeps_all_its_problems_on_the_way(isolation):
    end = killed(
        isolation, exec, "from autometa.errors import *; raise InputError('the table is empty')", seconds=PATIENCE
    )
    assert end.reason == str(InputError("InputError: the table is empty"))


SCRIPT = """
import time
from autometa.evaluation import Isolation
print("run", flush=True)
isolation = Isolation(preload=["numpy"])
print(isolation.call(divmod, 7, 3, seconds=300), flush=True)
if {sleep}:
    isolation.call(__import__("subprocess").run, ["sleep", "615"], seconds=300)
isolation.close()
"""


def run_script(how: str, folder: Path, *, sleep: bool = False) -> subprocess.Popen[str]:
    code = SCRIPT.format(sleep=sleep)
    (folder / "unguarded.py").write_text(code)
    arguments = {
        "script": [folder / "unguarded.py"],
        "command": ["-c", code],
        "module": ["-m", "unguarded"],
        "input": ["-"],
    }
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *arguments[how]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder,
    )  # fmt: skip
    if how == "input":
        process.stdin.write(code)
    process.stdin.close()
    return process


@pytest.mark.parametrize("how", ["script", "command", "module", "input"])
def test_a_program_without_a_main_guard_runs_once(how, tmp_path):
    with run_script(how, tmp_path) as process:
        assert process.stdout.read() == "run\n(2, 1)\n"
    assert process.returncode == 0


def test_nothing_outlives_a_caller_that_was_killed(tmp_path, alive):
    with run_script("script", tmp_path, sleep=True) as process:
        assert eventually(lambda: len(sleepers(615)) == 1)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 3  # the forkserver, the trial, and what it started
        process.kill()
        process.wait()
        assert eventually(lambda: not any(alive(member.pid) for member in family))


def test_nothing_outlives_a_caller_and_a_forkserver_that_were_killed_together(tmp_path, alive):
    with run_script("script", tmp_path, sleep=True) as process:
        assert eventually(lambda: len(sleepers(615)) == 1)
        server = psutil.Process(process.pid).children()[0]
        trial = server.children()[0]
        sleeper = trial.children()[0]
        server.suspend()  # it cannot help
        process.kill()
        server.kill()
        process.wait()
        assert eventually(lambda: not alive(trial.pid))
        sleeper.kill()  # all of its ancestors were killed at one instant: nobody is left to end it


def test_the_shared_isolation_is_one():
    assert shared_isolation() is shared_isolation()


def test_the_cpus_are_those_that_may_be_used(monkeypatch, tmp_path):
    assert 1 <= available_cpus() <= os.cpu_count()
    quota = tmp_path / "cpu.max"
    quota.write_text("100000 100000\n")
    monkeypatch.setattr("autometa.evaluation.machine._CPU_QUOTAS", ((str(quota), quota_reader()),))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available_cpus() == 1
    quota.write_text("250000 100000\n")
    assert available_cpus() == 2
    quota.write_text("max 100000\n")
    assert available_cpus() == 8


def quota_reader():
    from autometa.evaluation.machine import _quota_v2

    return _quota_v2


def test_the_memory_is_what_the_control_group_leaves(monkeypatch, tmp_path):
    assert 0 < available_ram() <= psutil.virtual_memory().total
    for name, text in (("max", "500"), ("current", "450"), ("stat", "anon 7\ninactive_file 20\n")):
        (tmp_path / name).write_text(text)
    limits = (str(tmp_path / "max"), str(tmp_path / "current"), str(tmp_path / "stat"), "inactive_file ")
    monkeypatch.setattr("autometa.evaluation.machine._RAM_LIMITS", (limits,))
    assert available_ram() == 70
