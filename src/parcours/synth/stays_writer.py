"""Write the hospital stays of one block, year of discharge by year of discharge."""

from collections import Counter

from parcours.synth.block import Block
from parcours.synth.faults import RETURN_CODE_SPIKE
from parcours.synth.pmsi import mco_rows, number_stays
from parcours.synth.pmsi_details import YearFiles, write_stay_details
from parcours.synth.raw import RawFiles
from parcours.synth.settings import SynthSettings

BLOCK_STAYS = 1_000_000  # stay numbers set aside for each block in each year


def write_stays(raw: RawFiles, block: Block, settings: SynthSettings) -> Counter[str]:
    """Append the block's stays to the files of their year of discharge; returns what was planted."""
    rng, further = block.generator("pmsi"), block.generator("MCO")
    rates, stays = settings.rates, block.stays
    years = (stays.entry + stays.nights).astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    planted: Counter[str] = Counter()
    for year in range(settings.years[0], settings.years[1] + 1):
        chosen = stays.take(years == year)
        spike = "bad_return_codes" in settings.faults and year == settings.years[1]
        return_code = RETURN_CODE_SPIKE if spike else rates["return_code"]
        numbers = number_stays(rng, chosen, block.seed[1] * BLOCK_STAYS, return_code, rates["ghm_90"])
        planted["stays_with_a_return_code"] += int((numbers.failing >= 0).sum())
        planted["stays_with_ghm_90"] += int(numbers.ungrouped.sum())
        for table, lines in mco_rows(rng, block.people, chosen, numbers, year).items():
            raw.append(table, f"T_MCO{year % 100:02d}{table[4:]}.csv", year, lines, of_year=year)
        if "MCO" in settings.products:
            files = YearFiles(raw, further, rates, year)
            planted.update(write_stay_details(files, block, chosen, numbers))
    return planted
