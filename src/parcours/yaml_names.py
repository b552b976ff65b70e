"""YAML in which a name stands once: of two, one would be lost without a word."""

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import BaseConstructor, ConstructorError

from parcours.errors import InputError


class NamesOnce(BaseConstructor):
    """Put before a loader, refuses maps that have a name twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The map. Raises ConstructorError, with the name and its line."""
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConstructorError(None, None, f"{twice[0]} is written twice", node.start_mark)
        return super().construct_mapping(node, deep)


class Values(NamesOnce, yaml.SafeLoader):
    """Reads values in their types, as YAML has them."""


def read_values(path: Path) -> Any:
    """What a YAML file that a user wrote holds.

    Raises InputError: one sentence with the file, the line and what is wrong.
    """
    try:
        return yaml.load(path.read_text("utf-8"), Loader=Values)
    except ConstructorError as error:
        raise InputError(f"{path}{_line(error)}: {error.problem}; mend it and start again.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}{_line(error)} is not readable YAML in UTF-8: check indentation and quotes.") from None
    except ValueError as error:
        raise InputError(f"{path} holds a day that does not exist ({error}); write days as 2014-01-31.") from None


def _line(error: Exception) -> str:
    """`, line 3`, where an error of YAML says where it is; else nothing."""
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""
