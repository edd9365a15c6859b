"""Going on with a training: only with the learner, the data and the episodes that it began with.

Law: what would make the second half another training than the first is refused; what may change, such as the rate or
the number of steps, is told.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from autometa.errors import InputError, RunError
from autometa.fewshot.bodies import EncodedSpec
from autometa.fewshot.checkpoint import Checkpoint, options_of
from autometa.fewshot.learner import Learner, Training, make
from autometa.fewshot.learners import name_of
from autometa.fewshot.settings import TrainingSettings

SAME = ("way", "shot", "query", "seed", "look_episodes")  # settings that a training that goes on cannot change
SAME_TRAINING = ("tasks", "optimizer", "way", "shot", "fewer_shots", "query")  # nor these of its training


def resumed(
    learner: Learner,
    settings: TrainingSettings,
    training: Training,
    out: Path | None,
    device: torch.device,
    origin: dict[str, Any],
) -> tuple[Checkpoint, list[str]]:
    """The state in `out`, if it is of this very learner, these data and these episodes; and what is otherwise."""
    if out is None:
        raise InputError("There is nothing to resume without a folder.")
    encoder = learner.problem.encoder if isinstance(learner.problem, EncodedSpec) else None
    state = Checkpoint.load(out, device=device, learner=name_of(learner), encoder=encoder)
    if not state.weights:
        raise RunError(f"{out}: holds what was learned, and not the training: it cannot go on. Train anew.")
    usual = options_of(
        make(type(learner), state.problem, state.options, encoder=encoder)
    )  # of before an option was there
    differs = [
        f"{key} was {usual[key]!r}, is {value!r}" for key, value in options_of(learner).items() if usual[key] != value
    ]
    differs += [] if state.problem == learner.problem else [f"problem was {state.problem}, is {learner.problem}"]
    if differs:
        raise RunError(f"{out}: cannot go on with another learner: {'; '.join(differs)}.")
    before, trained = state.settings, state.settings.get("training", {})
    now = asdict(settings)
    differs = [f"{key} was {before[key]}, is {now[key]}" for key in SAME if before.get(key, now[key]) != now[key]]
    own = asdict(training)
    changed = {key: (trained[key], value) for key, value in own.items() if trained.get(key, value) != value}
    differs += [f"{key} of training was {a}, is {b}" for key, (a, b) in changed.items() if key in SAME_TRAINING]
    differs += _other_data(state.data, origin)
    if differs:
        raise RunError(
            f"{out}: cannot go on with other data or episodes: {'; '.join(differs)}. Ask as before, or train into "
            "another folder."
        )
    notes = [f"{key} was {a}, is {b} from here on" for key, (a, b) in changed.items() if key not in SAME_TRAINING]
    state.settings = now | {"training": own}
    state.data = {**state.data, **{key: value for key, value in origin.items() if value is not None}}
    state.progress["stopped"] = False
    return state, notes


def _other_data(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In what the data of a checkpoint differ from those it is to go on with; where they lie does not count."""
    differs = []
    if before.get("name") != now.get("name"):
        differs.append(f"data were {before.get('name')}, are {now.get('name')}")
    elif before.get("fingerprint") and now["fingerprint"] and before["fingerprint"] != now["fingerprint"]:
        differs.append(f"the examples of {now['name']} are others than before")
    for key, usual in (("options", {}), ("sampler", None)):
        if key in before and key in now and (before[key] or usual) != (now[key] or usual):
            differs.append(f"{key} were {before[key]}, are {now[key]}")
    return differs
