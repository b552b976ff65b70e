"""The catalogue as a Great Expectations project: the files under expectations/, the same on every machine.

`python -m parcours.quality.suites` writes them again after a change of the rules.
"""

import json
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from parcours.home import project_home
from parcours.quality.catalogue import Catalogue, Rule, View, catalogue_names, load_catalogue

log = logging.getLogger(__name__)

GX_VERSION = "1.24.1"  # pinned in pyproject.toml; GX stamps each suite with it
SOURCE = "parcours"
PAGES = "parcours.quality.data_docs"
HEAD = "# Generated from src/parcours/quality/rules by `python -m parcours.quality.suites`: change the rules there.\n"
BATCH = "whole"
# Identifiers derived from names: GX wants them, and they must not change from one generation to the next.
NAMESPACE = uuid.UUID("6f1c4d0e-6a5b-5c7e-9d6b-2f4f5a0c9b31")


def expectation_files() -> dict[str, str]:
    """Content of every generated file, by its path under expectations/."""
    checked = list(_checked_views())
    files = {"great_expectations.yml": _project([view for _, view in checked])}
    for catalogue, view in checked:
        files[f"suites/{view.name}.json"] = _json(_suite(view, catalogue.rules_of(view.name)))
        files[f"validation_definitions/{view.name}.json"] = _json(_validation_definition(view.name))
        files[f"checkpoints/{view.name}.json"] = _json(_checkpoint(view.name))
    return files


def write_expectations(directory: Path) -> list[Path]:
    """Write the generated files and remove generated files that the catalogue no longer has."""
    files = expectation_files()
    for kind in ("suites", "validation_definitions", "checkpoints"):
        for path in (directory / kind).glob("*.json"):
            if f"{kind}/{path.name}" not in files:
                path.unlink()
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return [directory / name for name in files]


def _checked_views() -> Iterator[tuple[Catalogue, View]]:
    for name in catalogue_names():
        catalogue = load_catalogue(name)
        for view in catalogue.checked_views():
            yield catalogue, view


def _id(*parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _suite(view: View, rules: list[Rule]) -> dict[str, Any]:
    return {
        "name": view.name,
        "id": _id("suite", view.name),
        "expectations": [_expectation(rule) for rule in rules],
        "meta": {"great_expectations_version": GX_VERSION},
        "notes": view.description,
    }


def _expectation(rule: Rule) -> dict[str, Any]:
    return {
        "id": _id("rule", rule.id),
        "type": rule.expectation,
        "kwargs": rule.arguments,
        "severity": rule.severity,
        "description": f"{rule.description} ({rule.id}, {rule.severity})",
        "meta": {"rule": rule.id, "source": rule.source},
    }


def _validation_definition(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "id": _id("validation", name),
        "data": {
            "datasource": {"name": SOURCE, "id": _id("source")},
            "asset": {"name": name, "id": _id("asset", name)},
            "batch_definition": {"name": BATCH, "id": _id("batch", name)},
        },
        "suite": {"name": name, "id": _id("suite", name)},
    }


def _checkpoint(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "id": _id("checkpoint", name),
        "validation_definitions": [{"name": name, "id": _id("validation", name)}],
        "actions": [],
        "result_format": "BOOLEAN_ONLY",
    }


def _project(views: list[View]) -> str:
    content = {
        "config_version": 4.0,
        "analytics_enabled": False,
        "data_context_id": _id("context"),
        "stores": _stores(),
        "expectations_store_name": "expectations_store",
        "validation_results_store_name": "validation_results_store",
        "checkpoint_store_name": "checkpoint_store",
        "data_docs_sites": {"local_site": _site()},
        "fluent_datasources": {SOURCE: _source(views)},
        "progress_bars": {"globally": False},
    }
    head = (
        "# Generated from src/parcours/quality/rules by `python -m parcours.quality.suites`; change the rules there.\n"
    )
    return head + yaml.safe_dump(content, sort_keys=False)


def _stores() -> dict[str, Any]:
    # Store names and keys keep the defaults: GX looks them up by name.
    directories = {
        "expectations_store": ("ExpectationsStore", "suites/"),
        "validation_results_store": ("ValidationResultsStore", "uncommitted/validations/"),
        "checkpoint_store": ("CheckpointStore", "checkpoints/"),
        "validation_definition_store": ("ValidationDefinitionStore", "validation_definitions/"),
    }
    return {
        name: {"class_name": kind, "store_backend": {**_backend(folder), "suppress_store_backend_id": True}}
        for name, (kind, folder) in directories.items()
    }


def _backend(folder: str) -> dict[str, Any]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": folder}


def _site() -> dict[str, Any]:
    """Pages of this project's own: those of GX fetch their scripts and styles from the internet."""
    view = {"view": {"module_name": PAGES, "class_name": "AsItIs"}}
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": _backend("uncommitted/data_docs/"),
        "site_index_builder": {
            "class_name": "DefaultSiteIndexBuilder",
            "renderer": {"module_name": PAGES, "class_name": "FirstPage"},
            **view,
        },
        # "None" in words: GX takes a null for the section that it has by default.
        "site_section_builders": {
            "expectations": "None",
            "profiling": "None",
            "validations": {
                "class_name": "DefaultSiteSectionBuilder",
                "source_store_name": "validation_results_store",
                "renderer": {"module_name": PAGES, "class_name": "TablePage"},
                **view,
            },
        },
    }


def _source(views: list[View]) -> dict[str, Any]:
    # persist: GX would otherwise keep each DataFrame in memory for good.
    return {"type": "spark", "id": _id("source"), "persist": False, "assets": {v.name: _asset(v.name) for v in views}}


def _asset(name: str) -> dict[str, Any]:
    return {
        "type": "dataframe",
        "id": _id("asset", name),
        "batch_metadata": {},
        "batch_definitions": {BATCH: {"id": _id("batch", name), "partitioner": None}},
    }


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    log.info("wrote %d files", len(write_expectations(project_home() / "expectations")))
