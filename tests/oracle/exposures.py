"""From purchases to exposures of one person: which medicine, from when, until when, and whether it was new.

The rules are those of docs/reference/studies.md ("Exposures", "Time") and of the help texts in parameters.yaml.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parcours.cohort.study import Exposures, Medicines, Study
from tests.oracle.events import Event, Packs
from tests.oracle.interactions import at_once
from tests.oracle.rows import DAY, code_list, gathered, months_later

ATC_CLASS_LENGTH = 5


@dataclass(frozen=True)
class Exposure:
    """A medicine may act from `start` to `end`; `prevalent`: the person probably took it before the data begin."""

    drug: str
    start: dt.date
    end: dt.date
    prevalent: bool


@dataclass(frozen=True)
class Purchase:
    """One day on which one medicine was bought, and the days that it covers."""

    drug: str
    day: dt.date
    days: int


def exposures(events: Iterable[Event], packs: Packs, last_day: dt.date, study: Study) -> frozenset[Exposure]:
    """The exposures of a person who is followed until `last_day`, and those to several medicines at once.

    One that starts before follow-up keeps its start, for its effect may reach into it; one that ends later ends with
    it; one that starts later is none. What is bought after follow-up makes and prolongs none.
    """
    bought = gathered((one.drug, one) for one in purchases(events, packs, study) if one.day <= last_day)
    washout_end = months_later(study.population.study_start, study.exposures.washout_months)
    found = set()
    for drug, own in bought.items():
        own.sort(key=lambda one: one.day)
        for start, end in spans(own, study.exposures, last_day):
            if start <= last_day:
                found.add((drug, (start, min(end, last_day))))
    known = {drug for drug, own in bought.items() if own[0].day < washout_end}
    return frozenset(
        Exposure("_".join(drugs), *span, prevalent=known >= set(drugs))
        for drugs, span in at_once(found, study.exposures)
    )


def purchases(events: Iterable[Event], packs: Packs, study: Study) -> list[Purchase]:
    """The purchases of the study's medicines, those of one medicine and day as one: several boxes are one purchase."""
    category = "prescribed_purchase" if study.medicines.level == "prescription" else "drug_purchase"
    chosen = [event for event in events if event.category == category and is_chosen(event.code, packs, study.medicines)]
    if study.medicines.level == "prescription":
        days = prescriptions(chosen, packs, study.exposures)
    else:
        days = [
            ((drug, event.start), covered_days(event.code, packs, study.exposures))
            for event in chosen
            for drug in drugs_of(event.code, packs, study.medicines.level, study.codelists)
        ]
    # Only in the code: of a usual and a large pack on one day, the one that covers more days counts.
    return [Purchase(drug, day, max(covered)) for (drug, day), covered in gathered(days).items()]


def prescriptions(chosen: Iterable[Event], packs: Packs, setting: Exposures) -> list[tuple[tuple[str, dt.date], int]]:
    """((substances, day), days covered) of what was bought on one sheet and day: a large pack's if one is large."""
    known = [(event, atc) for event in chosen if (atc := atc_of(event.code, packs))]
    sheets = gathered(((event.group, event.start), (atc, event.code)) for event, atc in known)
    return [
        (("_".join(sorted({atc for atc, _ in of})), day), covered_by([code for _, code in of], packs, setting))
        for (_, day), of in sheets.items()
    ]


def spans(own: Sequence[Purchase], setting: Exposures, last_day: dt.date) -> list[tuple[dt.date, dt.date]]:
    """Start and end of the exposures to one medicine, from its purchases in their order."""
    if setting.kind == "limited":
        return limited(own, setting)
    start = unlimited_start([one.day for one in own], setting)
    return [] if start is None else [(start, last_day)]


def unlimited_start(days: Sequence[dt.date], setting: Exposures) -> dt.date | None:
    """The day of the purchase that completes the first run of `min_purchases` within the window, and the delay."""
    firsts_and_lasts = zip(days, days[setting.min_purchases - 1 :], strict=False)
    complete = [last for first, last in firsts_and_lasts if (last - first).days <= setting.purchases_window_days]
    return min(complete) + DAY * setting.start_delay_days if complete else None


def limited(own: Sequence[Purchase], setting: Exposures) -> list[tuple[dt.date, dt.date]]:
    """Start and end of each run of purchases that follow each other.

    A purchase joins those before it when it comes less than `merge_tolerance_days` after they are used up.
    """
    runs: list[list[Purchase]] = []
    used_up = dt.date.min
    for one in own:
        if not runs or one.day >= used_up + DAY * setting.merge_tolerance_days:
            runs.append([])
        runs[-1].append(one)
        used_up = max(used_up, one.day + DAY * one.days)
    return [span(run, setting) for run in runs]


def span(run: Sequence[Purchase], setting: Exposures) -> tuple[dt.date, dt.date]:
    """Start of a run, and its end: after the days of all its purchases, or when the last of them is used up."""
    delay = DAY * setting.start_delay_days
    start = run[0].day + delay
    if setting.limited_end == "purchase_count":
        return start, start + DAY * sum(one.days for one in run)
    return start, max(one.day + DAY * one.days for one in run) + delay


# --- medicines ---------------------------------------------------------------------------------------------------


def covered_days(code: str, packs: Packs, setting: Exposures) -> int:
    """The days that one purchase of the pack covers; a pack that the reference does not know is a usual one."""
    return covered_by([code], packs, setting)


def covered_by(codes: Iterable[str], packs: Packs, setting: Exposures) -> int:
    """The days that packs cover which are one purchase."""
    large = any(pack[2] for code in codes if (pack := packs.get(int(code))))
    return setting.large_pack_days if large else setting.small_pack_days


def atc_of(code: str, packs: Packs) -> str | None:
    """The ATC code of a pack, None where the reference knows none."""
    pack = packs.get(int(code))
    return pack[1] if pack else None


def is_chosen(code: str, packs: Packs, medicines: Medicines) -> bool:
    """Whether a pack passes both the list of packs and the ATC codes; the codes to leave out win."""
    atc = atc_of(code, packs) or ""
    included = not medicines.atc_include or atc.startswith(medicines.atc_include)
    excluded = bool(medicines.atc_exclude) and atc.startswith(medicines.atc_exclude)
    return included and not excluded and (not medicines.packs or code in medicines.packs)


def drugs_of(code: str, packs: Packs, level: str, codelists: Path) -> set[str]:
    """What the pack is at the study's level; without an ATC code it has no substance, class or family.

    Only in the code: an ATC code that is shorter than 7 (5) characters counts as a substance (class) as it is.
    """
    atc = atc_of(code, packs)
    if level == "cip13":
        return {code}
    if atc is None:
        return set()
    return {"substance": {atc}, "atc_class": {atc[:ATC_CLASS_LENGTH]}, "family": families(atc, codelists)}[level]


def families(atc: str, codelists: Path) -> set[str]:
    """The families with a subfamily that includes the code and does not exclude it."""
    rows = [row for row in code_list(codelists / "drug_families.csv") if atc.startswith(row["atc_prefix"])]
    actions = gathered(((row["family"], row["subfamily"]), row["action"]) for row in rows)
    return {family for (family, _), said in actions.items() if "exclude" not in said}
