"""A model that MLflow keeps, as MLflow runs it: this file is copied beside it (`autometa.tracking`).

Whoever loads a model from MLflow trusts it, as with every other model there.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class TrackedModel(PythonModel):
    """Answers by a model of AutoMeta; ``params={"proba": True}`` gives probabilities."""

    def load_context(self, context: Any) -> None:
        """Reads the model."""
        from autometa.search import load_model

        self.model = load_model(context.artifacts["model"], trusted=True)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """The answers for a table, as `autometa predict` has them."""
        if params and params.get("proba"):
            return pd.DataFrame(self.model.predict_proba(model_input), columns=list(map(str, self.model.classes)))
        return self.model.predict(model_input)


set_model(TrackedModel())
