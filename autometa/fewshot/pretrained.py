"""Learners that come trained: by a name wherever a checkpoint is named.

`PRETRAINED` says what each learned from, under which licence those data are, and how it was made. It holds no code and
no images: weights, which `Checkpoint.load` reads like any others. To add one, leave its file in ``meta_db`` with
``benchmarks/fewshot.py --ship LEARNER`` and give it a line in `PRETRAINED`.

Law: a file or folder of one's own comes before a name, unless the name begins with ``pretrained:``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autometa.errors import InputError, Problem, did_you_mean
from autometa.store.address import meta_db

PREFIX = "pretrained:"


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A learner that comes trained.

    See Also:
        `located`, `FewShotClassifier.pretrained`.

    Example:
        >>> one = PRETRAINED["protonet-omniglot"]
        >>> one.learner, one.licence, one.file.is_file()
        ('protonet', 'MIT', True)
    """

    name: str
    learner: str
    takes: str  # what images
    data: str  # what it learned from
    licence: str  # of those data
    command: str  # that trained it

    @property
    def file(self) -> Path:
        """Its checkpoint."""
        return meta_db() / f"{self.name}.npz"


PRETRAINED: dict[str, Pretrained] = {
    one.name: one
    for one in (
        Pretrained(
            "protonet-omniglot",
            "protonet",
            "grey images, scaled to 28 x 28; ink on paper is turned",
            "the 1,028 training characters of Omniglot in Vinyals' split, and their rotations (Lake et al., 2015)",
            "MIT",
            "benchmarks/fewshot.py --train protonet --steps 4000 --minutes 75",
        ),
    )
}


def located(name: str | Path) -> Path:
    """Where a checkpoint lies: a path as it is, or the file of a learner that comes trained.

    Raises:
        InputError: None comes under that name.

    See Also:
        `PRETRAINED`.

    Example:
        >>> located("runs/proto").name, located("protonet-omniglot").name
        ('proto', 'protonet-omniglot.npz')
    """
    said = str(name)
    if not said.startswith(PREFIX):
        path = Path(name)
        return PRETRAINED[said].file if said in PRETRAINED and not path.exists() else path
    wanted = said.removeprefix(PREFIX)
    if wanted not in PRETRAINED:
        fix = f"{did_you_mean(wanted, list(PRETRAINED))} Known: {', '.join(PRETRAINED)}.".strip()
        raise InputError(Problem(f"pretrained {wanted!r}", "is not known", fix))
    return PRETRAINED[wanted].file
