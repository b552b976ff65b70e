"""Whether enough persons are left in a study to report anything about them."""

from collections.abc import Mapping, Sequence
from typing import Any

from parcours.errors import InputError
from parcours.leaving import THRESHOLD


def refuse_too_few(cohort: str, chain: Sequence[Mapping[str, Any]]) -> None:
    """Let an attrition through that ends with at least 11 persons; `chain` is its steps so far.

    Raises InputError: one sentence that names the step after which too few were left, and the one that lost the most
    when that is another; it tells no count.
    """
    last = chain[-1]["persons"]
    if last >= THRESHOLD:
        return
    left = f"fewer than {THRESHOLD} persons" if last else "nobody"
    short = next(step for step in chain if step["persons"] < THRESHOLD)
    if short is chain[0]:
        raise InputError(
            f"The data of study {cohort} leave it with {left}, too few to report; publish the data of more persons."
        )
    largest = max(chain[1:], key=lambda step: int(step["lost"]))
    beside = "" if largest is short else f', after "{largest["description"]}", which loses the most'
    raise InputError(
        f'Study {cohort} is left with {left}, too few to report, by the step "{short["description"]}"{beside}; change '
        "the parameters that these steps come from, or look at the data that they read."
    )
