"""The learners by name: one file each, and one line here.

Sources: each class names its own paper in `source`.
"""

from __future__ import annotations

from typing import Any

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.learner import Learner
from autometa.fewshot.learners.anil import Anil
from autometa.fewshot.learners.dynamic import Dynamic
from autometa.fewshot.learners.fomaml import FirstOrderMaml
from autometa.fewshot.learners.learned_optimizer import LearnedOptimizer
from autometa.fewshot.learners.lstm_meta import LstmMeta
from autometa.fewshot.learners.maml import Maml
from autometa.fewshot.learners.mann import Mann
from autometa.fewshot.learners.matching import Matching
from autometa.fewshot.learners.meta_sgd import MetaSgd
from autometa.fewshot.learners.pretrain_finetune import PretrainFinetune
from autometa.fewshot.learners.protonet import ProtoNet
from autometa.fewshot.learners.reptile import Reptile
from autometa.fewshot.learners.set_kernel import SetKernel
from autometa.fewshot.learners.task_embedding import TaskEmbedding

LEARNERS: dict[str, type[Any]] = {
    "maml": Maml,
    "fomaml": FirstOrderMaml,
    "anil": Anil,
    "meta_sgd": MetaSgd,
    "reptile": Reptile,
    "lstm_meta": LstmMeta,
    "learned_optimizer": LearnedOptimizer,
    "mann": Mann,
    "matching": Matching,
    "protonet": ProtoNet,
    "pretrain_finetune": PretrainFinetune,
    "task_embedding": TaskEmbedding,
    "dynamic": Dynamic,
    "set_kernel": SetKernel,
}


def find_learner(name: str) -> type[Any]:
    """The class of a learner.

    Raises:
        InputError: There is none of that name.

    See Also:
        `make`, `catalogue`.

    Example:
        >>> find_learner("maml").__name__
        'Maml'
    """
    if name not in LEARNERS:
        fix = f"{did_you_mean(name, list(LEARNERS))} Known: {', '.join(LEARNERS)}.".strip()
        raise InputError(Problem(f"learner {name!r}", "is not known", fix))
    return LEARNERS[name]


def name_of(learner: Learner) -> str:
    """The name under which a learner's class is known; of an unknown one, that of its class."""
    return next((name for name, kind in LEARNERS.items() if kind is type(learner)), type(learner).__name__)
