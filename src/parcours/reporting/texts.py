"""What a report says, in the language of its study: texts and the form of numbers and dates, as data."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from parcours.leaving import HIDDEN, WITHHELD, Published
from parcours.snds.declarations import read_facts

FOLDER = Path(__file__).with_name("texts")
ENGLISH, FRENCH = "en", "fr"
LEAST_P = 0.001
NO_BREAK = "\u00a0"
# French sets these apart with a space that must not end a line.
SET_APART = re.compile(r" (?=[%:;!?»])|(?<=«) ")


@dataclass(frozen=True)
class Texts:
    """One language: `numbers` is how it writes them, `sections` its texts by section and key."""

    language: str
    numbers: Mapping[str, str]
    sections: Mapping[str, Mapping[str, str]]

    def say(self, key: str, **values: Any) -> str:
        """A text of the section `texts`, its placeholders filled in."""
        return self.sections["texts"][key].format(**values)

    def html(self, key: str, **values: Any) -> str:
        """A text of the section `html`; the values are escaped."""
        return self.sections["html"][key].format(**{name: escape(str(value)) for name, value in values.items()})

    def of(self, section: str, key: str, **values: Any) -> str:
        """A text of a section that not every language has."""
        return self.sections[section][key].format(**values)

    def count(self, count: Published) -> str:
        """A count that may leave: `12,406`, `12 406`, `<11`, or the word for what is hidden or withheld."""
        if isinstance(count, int):
            return f"{count:,}".replace(",", self.numbers["thousands"])
        return {HIDDEN: self.say("hidden"), WITHHELD: self.say("withheld")}.get(count, count)

    def number(self, value: float, form: str = "g") -> str:
        """A number in a format such as `.2f`, with the decimal mark of the language."""
        return f"{value:{form}}".replace(".", self.numbers["decimal"])

    def share(self, value: float, digits: int = 0) -> str:
        """`97%` or `97 %`."""
        return self.numbers["percent"].format(number=self.number(100 * value, f".{digits}f"))

    def ratio(self, value: float) -> str:
        """A relative incidence: `2.31`, `0` and `∞` for bounds without an end, `–` for none."""
        if value != value:
            return "–"
        if value > 1000:
            return "∞"
        return "0" if value < 0.005 else self.number(value, ".2f" if value < 100 else ".0f")

    def interval(self, lower: float, upper: float) -> str:
        """`1.80 to 2.96`, or `–` where there is none."""
        return "–" if lower != lower else self.say("interval", lower=self.ratio(lower), upper=self.ratio(upper))

    def p_value(self, value: float) -> str:
        """`0.34`, `0.012`, `<0.001`; `–` for none."""
        if value != value:
            return "–"
        if value < LEAST_P:
            return self.say("p_below", least=self.number(LEAST_P))
        return self.number(value, ".2f" if value >= 0.1 else ".3f")

    def days(self, first: int, last: int) -> str:
        """`0 to 27`."""
        return self.say("of_days", first=first, last=last)

    def day(self, day: dt.date) -> str:
        """`2017-12-31` or `31/12/2017`."""
        return f"{day:{self.numbers['day']}}"

    def value(self, value: Any) -> str:
        """The value of a parameter: numbers, dates, yes and no in the form of the language, words as they are."""
        if isinstance(value, bool):
            return self.say("word_yes" if value else "word_no")
        if isinstance(value, float):
            return self.number(value)
        if isinstance(value, list | tuple):
            return self.numbers["list"].join(map(self.value, value)) or self.say("word_none")
        day = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", str(value))
        return self.day(dt.date(*map(int, day.groups()))) if day else str(value) or self.say("word_none")


def languages() -> tuple[str, ...]:
    """The languages there are texts for."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


@cache
def texts_in(language: str) -> Texts:
    """The texts of a language of `languages()`."""
    declared = read_facts(FOLDER / f"{language}.yaml")
    if language == FRENCH:
        declared = {section: dict(_set_apart(lines.items())) for section, lines in declared.items()}
    return Texts(language, declared.pop("numbers"), declared)


def _set_apart(lines: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return ((key, SET_APART.sub(NO_BREAK, text)) for key, text in lines)
