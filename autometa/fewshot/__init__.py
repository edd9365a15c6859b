"""Few-shot learners: from many small tasks, learn to learn a new one from a few examples.

    data          where episodes come from                DATA       load_data("omniglot", path), from_arrays(x, y)
    samplers      which tasks to learn from               SAMPLERS
    learners      what learns                             LEARNERS   make(find_learner("maml"), problem)
      descent       inner steps on the support            maml, fomaml, anil, meta_sgd, reptile
      coordinates   a learned rule instead of steps       lstm_meta, learned_optimizer
      metric        distances to class means              protonet, and below
      conditioning  a vector that bends the network       task_embedding, dynamic
      heads         solved on embeddings for each task    simpleshot, r2d2, logistic_head, simple_cnaps
      pmf           last layers of an encoder fine-tuned  pmf
    networks, resnet, bodies    weights in plain sight; which network a problem gets, encoders of one's own
    augment           images changed at random in training                  AUGMENTATIONS
    backends      one task's function, for many           loop, vmap, chunkK; tune picks
    trainer, resume   meta-training; going on with one    train(learner, data, settings, out=...)
    prepare       a training from names, as typed         prepare("protonet", "digits", settings).run(out)
    suited        what of a paper's training gives way to the data
    evaluation, trained, classifier, explain, none        figures with intervals; answers; why; none of these
    pretrained    learners that come trained              PRETRAINED
    encoders, encoding    frozen encoders by name; images and texts as vectors, each content once
    options       every tuned number, with its origin

Law: weights and episodes are values, randomness is a seed; a resumed training ends where an uninterrupted one ends.

To add a learner, write a class with `initialise`, `loss`, `adapt` and `predict` (`learner` says what they promise) in a
file of its own and give it a line in `LEARNERS`; a data set is a function in a file and a line in `DATA`.

Letters:  t tasks · s support · q query · c classes · o outputs · w width.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING, Any

from autometa.fewshot.checkpoint import Checkpoint
from autometa.fewshot.classifier import FewShotClassifier
from autometa.fewshot.data import DATA, Choice, Data, EpisodeSource, from_arrays, from_dataset, load_data
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples
from autometa.fewshot.evaluation import EpisodeScores, evaluate, judge_checkpoint
from autometa.fewshot.learner import Learner, TaskOutcome, Training, make
from autometa.fewshot.learners import LEARNERS, find_learner
from autometa.fewshot.pretrained import PRETRAINED
from autometa.fewshot.samplers import SAMPLERS
from autometa.fewshot.settings import TrainingSettings
from autometa.fewshot.trained import AdaptedLearner, Trained
from autometa.fewshot.trainer import train
from autometa.moved import former

__all__ = [
    "DATA",
    "LEARNERS",
    "PRETRAINED",
    "SAMPLERS",
    "AdaptedLearner",
    "Checkpoint",
    "Choice",
    "Data",
    "Episode",
    "EpisodeScores",
    "EpisodeSource",
    "EpisodeSpec",
    "Examples",
    "FewShotClassifier",
    "Learner",
    "TaskOutcome",
    "Trained",
    "Training",
    "TrainingSettings",
    "catalogue",
    "evaluate",
    "find_learner",
    "from_arrays",
    "from_dataset",
    "judge_checkpoint",
    "load_data",
    "make",
    "train",
]

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before


def catalogue() -> dict[str, Any]:
    """The learners with what they learn, their options and their papers, data sets, samplers, and what comes trained.

    See Also:
        `find_learner`, `load_data`.

    Example:
        >>> sorted(catalogue())
        ['data', 'learners', 'pretrained', 'samplers']
    """
    learners = [
        {
            "name": name,
            "kinds": list(kind.kinds),
            "transductive": kind.transductive is True,  # a property where an option makes it so
            "options": {field.name: field.default for field in fields(kind) if field.default is not MISSING},
            "source": kind.source,
        }
        for name, kind in LEARNERS.items()
    ]
    ready = [asdict(one) for one in PRETRAINED.values()]
    return {"learners": learners, "data": list(DATA), "samplers": [*SAMPLERS, "similar"], "pretrained": ready}
