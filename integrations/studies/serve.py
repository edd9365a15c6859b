"""Makes the study, once, and then hands Optuna's storage to workers on other machines.

    python serve.py --storage sqlite:///optuna.db                       for workers of this machine
    python serve.py --storage postgresql+psycopg://head/optuna --host 0.0.0.0
    python serve.py --storage postgresql+psycopg://head/optuna --only-make    workers open the database themselves

Optuna makes its tables when a storage is opened first, and three of four processes that do so at once fail; so this
comes before any worker. What is served is neither encrypted nor guarded: whoever reaches the port writes the study.
Keep it within a network that you trust, or reach it through ssh (`ssh -L 13000:localhost:13000 head`).
"""

from __future__ import annotations

import argparse

import optuna
from objective import DIRECTION, STUDY
from optuna.storages import GrpcStorageProxy, RDBStorage, run_grpc_proxy_server


def opened(url: str) -> optuna.storages.BaseStorage:
    """The storage behind ``grpc://host:port`` or the URL of a database, whose trials have a heartbeat."""
    if url.startswith("grpc://"):
        host, _, port = url.removeprefix("grpc://").rpartition(":")
        return GrpcStorageProxy(host=host, port=int(port))
    again = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=2)  # of a worker that died, by another
    return RDBStorage(url, heartbeat_interval=60, grace_period=180, heartbeat_stale_trial_callback=again)


def main() -> None:
    """Parses, makes and serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=13000)
    parser.add_argument("--only-make", action="store_true")
    asked = parser.parse_args()
    storage = opened(asked.storage)
    study = optuna.create_study(storage=storage, study_name=STUDY, direction=DIRECTION, load_if_exists=True)
    print(f"study {study.study_name!r} with {len(study.trials)} trials", flush=True)
    if not asked.only_make:
        run_grpc_proxy_server(storage, host=asked.host, port=asked.port)


if __name__ == "__main__":
    main()
