"""The saved view of a study's runs: the columns that tell runs apart, as MLflow's pages keep a view.

MLflow 3 keeps it as a tag of the experiment, lists it under *Views*, and shows it for an address with its key. It has
no view that it shows unasked.
"""

import json
from urllib.parse import quote

KEY = "parcours"
TAG = f"mlflow.sharedViewState.{KEY}"
NAME = "What differs, what was found"
COLUMNS = (
    "attributes.`Dataset`",
    "metrics.`medicines_raising`",
    "metrics.`medicines_lowering`",
    "metrics.`medicines_rising_before`",
    "metrics.`cases`",
    "tags.`what_if`",
)


def saved_view() -> str:
    """The value of the tag; the same at every call."""
    state = {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": COLUMNS,
        "runsHidden": [],
        "runsPinned": [],
        "runsExpanded": {},
    }
    return json.dumps({"name": NAME, "createdAt": 1, "state": json.dumps(state)})


def view_address(server: str, experiment_id: str) -> str:
    """The page of a study's runs with that view."""
    return f"{server.rstrip('/')}/#/experiments/{quote(experiment_id)}/runs?viewStateShareKey={KEY}"
