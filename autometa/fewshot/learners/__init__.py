"""The learners by name: one file each, and one line here.

Sources: each class names its own paper in `source`.
"""

from __future__ import annotations

import sys
from typing import Any

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.learner import Learner
from autometa.fewshot.learners.anil import Anil
from autometa.fewshot.learners.dynamic import Dynamic
from autometa.fewshot.learners.fomaml import FirstOrderMaml
from autometa.fewshot.learners.learned_optimizer import LearnedOptimizer
from autometa.fewshot.learners.logistic_head import LogisticHead
from autometa.fewshot.learners.lstm_meta import LstmMeta
from autometa.fewshot.learners.maml import Maml
from autometa.fewshot.learners.mann import Mann
from autometa.fewshot.learners.matching import Matching
from autometa.fewshot.learners.meta_sgd import MetaSgd
from autometa.fewshot.learners.pmf import Pmf
from autometa.fewshot.learners.pretrain_finetune import PretrainFinetune
from autometa.fewshot.learners.protonet import ProtoNet
from autometa.fewshot.learners.r2d2 import RidgeHead
from autometa.fewshot.learners.reptile import Reptile
from autometa.fewshot.learners.set_kernel import SetKernel
from autometa.fewshot.learners.simple_cnaps import SimpleCnaps
from autometa.fewshot.learners.simpleshot import SimpleShot
from autometa.fewshot.learners.task_embedding import TaskEmbedding
from autometa.values import called

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
    "simpleshot": SimpleShot,
    "r2d2": RidgeHead,
    "logistic_head": LogisticHead,
    "simple_cnaps": SimpleCnaps,
    "pmf": Pmf,
}


OWN: dict[str, type[Any]] = {}  # learners that somebody else wrote, by ``module:Class``, once they were used here


def find_learner(name: str) -> type[Any]:
    """The class of a learner: a name in `LEARNERS`, or ``module:Class`` for one of one's own, which is imported.

    Raises:
        InputError: There is none of that name.

    See Also:
        `make`, `catalogue`.

    Example:
        >>> find_learner("maml").__name__
        'Maml'
        >>> find_learner("autometa.fewshot.learners.maml:Maml").__name__
        'Maml'
    """
    if name in LEARNERS:
        return LEARNERS[name]
    if name in OWN:
        return OWN[name]
    if ":" in name:
        kind = called("learner", name)
        lacking = [part for part in ("initialise", "loss", "adapt", "predict") if not hasattr(kind, part)]
        if not isinstance(kind, type) or lacking:
            what = f"lacks {', '.join(lacking)}" if isinstance(kind, type) else "is no class"
            raise InputError(Problem(f"learner {name}", what, "docs/fewshot.md says what a learner is."))
        OWN[name] = kind
        return kind
    fix = f"{did_you_mean(name, list(LEARNERS))} Known: {', '.join(LEARNERS)}; module:Class for your own.".strip()
    raise InputError(Problem(f"learner {name!r}", "is not known", fix))


def known_learner(name: str) -> type[Any]:
    """The class that a file names, without importing anything: known here, or of a module that is imported already.

    Raises:
        InputError: It is of a module that is not; says how to hand it over.
    """
    if name in LEARNERS or name in OWN or ":" not in name:
        return find_learner(name)
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        fix = f"Import {module} before, or name it: --learner {name}, in Python find_learner({name!r})."
        raise InputError(Problem(f"learner {name}", "is somebody's own, and not imported", fix))
    return found


def name_of(learner: Learner) -> str:
    """The name under which a learner's class is known; of one that is not of this package ``module:Class``."""
    known = next((name for name, kind in LEARNERS.items() if kind is type(learner)), None)
    if known is not None:
        return known
    name = f"{type(learner).__module__}:{type(learner).__qualname__}"
    OWN[name] = type(learner)  # one made within a function is found by no import
    return name
