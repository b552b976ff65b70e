"""YAML in which a name stands once: of two, one would be lost without a word."""

from typing import Any

import yaml
from yaml.constructor import BaseConstructor, ConstructorError


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


def line_of(error: Exception) -> str:
    """`, line 3`, where an error of YAML says where it is; else nothing."""
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""
