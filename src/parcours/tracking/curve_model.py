"""The model that MLflow serves: a medicine and a time since its first purchase in, a relative incidence out.

MLflow copies this very file into the run ("models from code") and runs it to load the model, so it knows pandas and the
fitted model's JSON and nothing else: the model outlives the code that fitted it.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

COLUMNS = ["relative_incidence", "lower", "upper"]


class CurveModel(PythonModel):
    """Looks the fitted curve up; holds no person and no count."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the curves that were saved with the model."""
        saved = json.loads(Path(context.artifacts["curves"]).read_text("utf-8"))
        self._drugs = set(saved["drug"])
        self._curves = pd.DataFrame(saved).set_index(["drug", "lag"])[["log_ri", "lower", "upper"]].astype(float)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Relative incidence and its interval for rows of `drug` (ATC code) and `lag` (bucket since first purchase).

        Outside the lags of the model the incidence is the baseline's: 1, with no interval.
        Raises ValueError, naming them, for drugs the model was not fitted on.
        """
        unknown = sorted(set(model_input["drug"].astype(str)) - self._drugs)
        if unknown:
            raise ValueError(f"The model was not fitted on {', '.join(unknown)}; it knows {len(self._drugs)} drugs.")
        asked = pd.MultiIndex.from_arrays([model_input["drug"].astype(str), model_input["lag"].astype(int)])
        found = self._curves.reindex(asked).to_numpy()
        found[np.isnan(found[:, 0]), 0] = 0.0
        return pd.DataFrame(np.exp(found), columns=COLUMNS, index=model_input.index)


mlflow.models.set_model(CurveModel())
