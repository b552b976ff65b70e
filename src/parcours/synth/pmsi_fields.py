"""The fields of the PMSI other than MCO stays: files of one block of persons, year by year."""

from collections import Counter

import numpy as np

from parcours.snds.contracts import Product, load_product, load_table
from parcours.synth.block import Block
from parcours.synth.days import Calendar
from parcours.synth.episodes import DRAWN, Episodes, draw_episodes
from parcours.synth.facts import codes, prior
from parcours.synth.filler import value_set
from parcours.synth.hospital_columns import (
    HOSPITALS,
    NOBODY,
    day_columns,
    draw_failing,
    hospital_codes,
    patient_code,
    person_columns,
    return_code_columns,
)
from parcours.synth.pmsi_details import Columns, YearFiles, orphaned
from parcours.synth.raw import RawFiles
from parcours.synth.settings import SynthSettings

HOSPITAL_COLUMNS = ("ETA_NUM", "ETA_NUM_EPMSI", "ETA_NUM_TWO", "ETA_NUM_GEO")
PART_NUMBERS = ("RHS_NUM", "SSEQ_NUM", "SEQ_SEQ_NUM")  # of a week, a sub-sequence, a sequence
SECOND_INVOICE = "002"


def write_fields(raw: RawFiles, block: Block, settings: SynthSettings, span: Calendar) -> Counter[str]:
    """Append the fields that are asked for to the files of the year in which each episode ends."""
    planted: Counter[str] = Counter()
    for name in DRAWN:
        product = load_product(name)
        if name not in settings.products:
            continue
        rng = block.generator(name)
        episodes = draw_episodes(rng, name, block, span)
        years = episodes.leaving.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
        for year in filter(product.covers, range(settings.years[0], settings.years[1] + 1)):
            files = YearFiles(raw, rng, settings.rates, year)
            planted.update(_write_year(files, product, block, episodes.take(years == year)))
    return planted


def _write_year(files: YearFiles, product: Product, block: Block, episodes: Episodes) -> Counter[str]:
    number, planted = product.key[1], Counter[str]()
    stays = _stay_columns(files, product, block, episodes)
    if product.patient:
        planted.update(_write_patients(files, product, stays, number))
    parts = _part_columns(product, stays, episodes)
    main = _with_second_invoices(files.rng, product, parts, files.year)
    planted[f"malformed_{product.main}"] += files.append(product.main, main)
    of = {"all": np.arange(len(parts[number]))}
    planted.update(files.append_details((*product.joined, *product.where_present), parts, of, number))
    return planted


def _stay_columns(files: YearFiles, product: Product, block: Block, episodes: Episodes) -> Columns:
    """Columns with one value an episode."""
    rng, count = files.rng, len(episodes)
    hospital = hospital_codes()[rng.integers(0, HOSPITALS, count)]
    died = episodes.leaving == block.people.death[episodes.person]
    ungrouped = rng.random(count) < files.rates["ghm_90"]
    known = {
        **person_columns(block.people, episodes.person, episodes.entry),
        **day_columns({"entry": episodes.entry, "leaving": episodes.leaving}),
        **dict.fromkeys(HOSPITAL_COLUMNS, hospital),
        **dict.fromkeys(("SEJ_IDT", "SEJ_NUM"), _numbers(episodes.person, 5)),
        product.key[1]: _stay_numbers(product, block, count),
        "IPP_IRR_CRY": patient_code(block.seed[1] * 1_000_000 + episodes.person, hospital),
        "SOR_MOD": np.where(died, "9", "8"),
        "SOR_DES": np.where(died, "", "0"),
        "SEJ_NBJ": episodes.leaving - episodes.entry,
        **episodes.texts,
    }
    for name in ("GRG_GME", "GRC_GME"):
        errors = rng.choice(np.array(codes()["ungrouped_weeks"], object), count)
        known[name] = np.where(ungrouped, errors, rng.choice(np.array(value_set(name), object), count))
    known["EXE_SOI_DTD"] = np.where(
        rng.random(count) < files.rates["sentinel_care_date"], "0001-01-01", known["EXE_SOI_DTD"]
    )
    return known


def _stay_numbers(product: Product, block: Block, count: int) -> np.ndarray:
    """Numbers of the length that the contract gives, a hundredth of them set aside for each block."""
    width = load_table(product.main).columns_of(None)[product.key[1]].length or 8
    return _numbers(block.seed[1] * 10 ** (width - 2) + np.arange(count) + 1, width)


def _numbers(values: np.ndarray, width: int) -> np.ndarray:
    return np.array([f"{value:0{width}d}" for value in values.tolist()], object)


def _write_patients(files: YearFiles, product: Product, stays: Columns, number: str) -> Counter[str]:
    """The table that holds the person; a few of its rows are lost to another stay number."""
    table, rng = product.patient or "", files.rng
    weights = codes()["return_codes_of_visits" if table.endswith("CSTC") else "return_codes"]
    rate = min(1.0, files.rates["return_code"] * prior(f"return_code.{product.name}"))
    failing = draw_failing(rng, weights, len(stays[number]), rate)
    lost = rng.random(len(failing)) < files.rates["orphan_child"]
    good = np.full(len(failing), "0", object)
    known = {
        **stays,
        **{name: good for name in load_table(table).columns_of(files.year) if name.endswith("_RET")},
        **return_code_columns(weights, failing),
        "NIR_ANO_17": np.where(failing == 0, NOBODY, stays["NIR_ANO_17"]),
        number: np.where(lost, orphaned(stays[number]), stays[number]),
    }
    return Counter(
        {
            f"return_codes_{table}": int((failing >= 0).sum()),
            f"orphans_{table}": int(lost.sum()),
            f"malformed_{table}": files.append(table, known),
        }
    )


def _part_columns(product: Product, stays: Columns, episodes: Episodes) -> Columns:
    """Columns with one value a week, sequence or sub-sequence; those of the episode where it has just one."""
    row = np.repeat(np.arange(len(episodes)), episodes.parts)
    turn = np.arange(len(row)) - np.searchsorted(row, row) + 1
    length = episodes.leaving - episodes.entry
    end = episodes.entry[row] + length[row] * turn // episodes.parts[row]
    columns = {name: values[row] for name, values in stays.items()} | day_columns({"end": end})
    for name in PART_NUMBERS:
        width = load_table(product.main).columns_of(None)[name].length if name in product.key else 4
        columns[name] = _numbers(turn, width or 4)
    return columns


def _with_second_invoices(rng: np.random.Generator, product: Product, parts: Columns, year: int) -> Columns:
    """Invoices of visits: a few visits have two, so that the key of the header occurs twice."""
    count = len(parts[product.key[1]])
    if "NUM_FAC" not in load_table(product.main).columns_of(year):
        return parts
    again = np.flatnonzero(rng.random(count) < prior("visits.second_invoice_share"))
    rows = np.concatenate([np.arange(count), again])
    invoice = np.where(np.arange(len(rows)) < count, value_set("NUM_FAC")[0], SECOND_INVOICE)
    return {**{name: values[rows] for name, values in parts.items()}, "NUM_FAC": invoice}
