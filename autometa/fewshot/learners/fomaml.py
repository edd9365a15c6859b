"""First-order MAML: the steps on the support count as constant shifts, so no second derivative is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from autometa.fewshot.learners.maml import Maml


@dataclass(frozen=True, slots=True)
class FirstOrderMaml(Maml):
    """MAML, its inner gradients cut."""

    first_order: ClassVar[bool] = True
