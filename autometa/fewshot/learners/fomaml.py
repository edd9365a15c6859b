"""First-order MAML: the steps on the support count as constant shifts, so no second derivative is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from autometa.fewshot.learners.maml import Maml


@dataclass(frozen=True, slots=True)
class FirstOrderMaml(Maml):
    """First-order MAML: the inner gradients count as constants."""

    first_order: ClassVar[bool] = True
