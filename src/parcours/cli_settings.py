"""`--set name=value`, as overrides of a study's parameters."""

from collections.abc import Iterable
from typing import Any

import yaml

from parcours.errors import InputError


def overrides_of(settings: Iterable[str]) -> dict[str, Any]:
    """The value of each name, as a study file would give it.

    Raises InputError when a setting is not name=value, its value cannot be read, or a name is given twice.
    """
    overrides: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not name:
            raise InputError(f"--set {setting}: write it as name=value, for example --set start_gap_months=18.")
        if name in overrides:
            raise InputError(f"--set {name} is given twice; give it once.")
        overrides[name] = _value(setting, text)
    return overrides


def _value(setting: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # a ValueError is a day that does not exist
        raise InputError(
            f"--set {setting}: the value cannot be read; write a list as [hip, wrist], a day as 2014-01-31."
        ) from None
