"""Mutant number N of a seed: a delivery in which one or two files are spoiled."""

from dataclasses import dataclass
from random import Random

import mutate
from fuzz_deliveries import BASES, write

# These numbers of every run are files of 100 MB lines and of 10,000 columns.
HUGE = (9, 309, 609, 909)
WIDE = (29, 429, 829)
SETTINGS = ({}, {}, {}, {"encoding": "latin-1"}, {"encoding": "cp1252"}, {"null_values": ["", "NULL", "7"]})


@dataclass(frozen=True)
class Mutant:
    """`secrets` are values of the spoiled rows, which no error may show; `files` table -> (ending, bytes)."""

    name: str
    product: str
    files: dict[str, tuple[str, bytes]]
    settings: dict
    block: int
    secrets: frozenset[str]

    def write(self, folder):
        return write(folder, self.files, "2016", **self.settings)


def mutant(seed, number):
    """The same mutant for the same seed and number, on every machine."""
    random = Random(f"{seed}/{number}")
    product = list(BASES)[number % len(BASES)]
    files = {table: (".csv", content) for table, content in BASES[product].items()}
    secrets = frozenset(_values(content for _, content in files.values()))
    made = []
    for table in random.sample(list(files), min(len(files), random.choice((1, 1, 2)))):
        kinds, files[table] = _spoiled(random, number, files[table][1], bool(made))
        made.append(f"{table}:{'+'.join(kinds)}")
    name = f"{seed}/{number} {product} {' '.join(made)}"
    # Small blocks cut small files in many places; with long lines they would only be slow.
    large = any(len(content) > 50_000 for _, content in files.values())
    block = 16 << 20 if large else random.choice((150, 16 << 20))
    return Mutant(name, product, files, random.choice(SETTINGS), block, secrets)


def _values(contents):
    for content in contents:
        for line in content.decode().splitlines()[1:]:
            yield from (value for value in line.split(";") if len(value) > 3 and value not in ("2016", "750712184"))


def _spoiled(random, number, content, small):
    if number in HUGE and not small:
        return ["huge_line"], (".csv", mutate.huge_line(random, content))
    if number in WIDE and not small:
        return ["many_columns"], (".csv", mutate.many_columns(random, content))
    names = []
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        kind = random.choice(mutate.CSV)
        try:
            content = kind(random, content)
        except (ValueError, IndexError, UnicodeDecodeError):
            continue  # spoiled too far for a second time
        names.append(kind.__name__)
    if not names or random.random() < 0.15:
        return _contained(random, names, content)
    return names, (".csv", content)


def _contained(random, names, content):
    for kind in random.sample(mutate.CONTAINERS, len(mutate.CONTAINERS)):
        try:
            return [*names, kind.__name__], kind(random, content)
        except (ValueError, IndexError, KeyError, NotImplementedError, OverflowError, TypeError):
            continue  # spoiled too far to be put into Parquet or SAS
    return [*names, "bare"], (".csv", content)
