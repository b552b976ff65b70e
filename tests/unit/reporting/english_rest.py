"""The English that a French report must not have: texts, titles and steps that French says otherwise."""

import re
import string
from dataclasses import replace
from pathlib import Path

from parcours.cohort.parameters import parameter_table, section_titles
from parcours.cohort.population import EVERYBODY, inclusion_steps
from parcours.cohort.study import load_study
from parcours.reporting.texts import ENGLISH, FRENCH, texts_in

EN, FR = texts_in(ENGLISH), texts_in(FRENCH)
FALL = load_study(Path(__file__).resolve().parents[3] / "cohorts" / "fall.yaml")
SHARED = ("texts", "html")


def every_step():
    """Each step that a population may have, with the parameters that bring it."""
    asked = {"sex": "women", "observation_from": "first_purchase", "first_purchase_within_months": 3}
    asked |= {"trackloss_months": 4, "prior_outcome": "drop", "ambiguous_identity": "drop"}
    population = replace(FALL.population, **asked)
    return population, [*inclusion_steps(population), *inclusion_steps(FALL.population)]


def english_words():
    """What stands between the placeholders of an English text and not in the French one, where `page` is a word too."""
    found = set()
    for section in SHARED:
        for key, text in EN.sections[section].items():
            parts = [re.sub(r"<[^>]+>|&\w+;", "\0", part) for part, *_ in string.Formatter().parse(text)]
            pieces = (piece.strip(" :;,.()–·") for part in parts for piece in re.split(r"[\0.;:]", part))
            found |= {piece for piece in pieces if not has(FR.sections[section][key], piece)}
    found |= {parameter.title for parameter in parameter_table().values()} | set(section_titles().values())
    found |= {EVERYBODY} | {step.description for step in every_step()[1]}
    return {words for words in found if re.search(r"[A-Za-z]{2}", words)} - set(FR.sections["parameters"].values())


def has(text, words):
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", " ".join(text.split())) is not None
