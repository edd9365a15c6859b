"""The learners by name: one file each, and one line here.

Sources: each class names its own paper in `source`.
"""

from __future__ import annotations

from autometa.errors import InputError, did_you_mean
from autometa.errors import Problem as Wrong
from autometa.fewshot.learner import Learner
from autometa.fewshot.learners.maml import Maml
from autometa.fewshot.learners.protonet import ProtoNet

LEARNERS: dict[str, type] = {
    "maml": Maml,
    "protonet": ProtoNet,
}


def find_learner(name: str) -> type:
    """The class of a learner.

    Raises:
        InputError: There is none of that name.
    """
    if name not in LEARNERS:
        fix = f"{did_you_mean(name, list(LEARNERS))} Known: {', '.join(LEARNERS)}.".strip()
        raise InputError(Wrong(f"learner {name!r}", "is not known", fix))
    return LEARNERS[name]


def name_of(learner: Learner) -> str:
    """The name under which a learner's class is known; of an unknown one, that of its class."""
    return next((name for name, kind in LEARNERS.items() if kind is type(learner)), type(learner).__name__)
