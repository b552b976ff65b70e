"""Write a synthetic delivery: blocks of persons, flux month by flux month, then delivery.yaml and truth.json."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from parcours.errors import InputError
from parcours.synth import faults, references
from parcours.synth.block import Block, draw_block
from parcours.synth.claims_writer import write_claims
from parcours.synth.days import Calendar, calendar
from parcours.synth.facts import medicines, prior, rows
from parcours.synth.pmsi_fields import write_fields
from parcours.synth.raw import RawFiles
from parcours.synth.registers import write_registers
from parcours.synth.settings import SynthSettings
from parcours.synth.stays_writer import write_stays
from parcours.synth.truth import truth

Progress = Callable[[int, int, str], None]
OURS = ("raw", "delivery.yaml", "truth.json")


def write_delivery(settings: SynthSettings, out: Path, on_progress: Progress | None = None) -> dict[str, Any]:
    """Write a delivery to the folder `out`: raw/*.csv, truth.json and, last, delivery.yaml.

    The same settings give the same bytes. on_progress(done, total, label) is called after each
    block of persons. Returns {"rows": {table: n}, "seconds": float, "bytes": int}.
    Raises InputError when a setting is not allowed or `out` holds files of something else.
    """
    settings.check()
    began = time.perf_counter()
    _empty(out)
    span = calendar(settings.years, int(prior("flux.months_after")))
    raw = RawFiles(out)
    irregularities: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    exposed = np.zeros((len(medicines()), 2), np.int64)
    sizes = _block_sizes(settings)
    for number, size in enumerate(sizes):
        block = draw_block(settings, span, number, size)
        irregularities.update(block.irregularities)
        counts.update(block.counts)
        exposed += block.exposed
        irregularities.update(write_claims(raw, block, settings, span))
        irregularities.update(write_stays(raw, block, settings))
        irregularities.update(write_fields(raw, block, settings, span))
        _write_persons(raw, block, settings, span)
        irregularities.update(write_registers(raw, block, settings, span))
        if on_progress:
            on_progress(sum(sizes[: number + 1]), settings.persons, "persons")
    irregularities.update(_write_packs(raw, settings))
    planted = truth(settings, exposed, irregularities, counts, _planted_faults(settings, span))
    _write_descriptions(out, raw, settings, planted)
    written = sum(file.stat().st_size for file in (out / "raw").iterdir())
    return {"rows": dict(sorted(raw.rows.items())), "seconds": time.perf_counter() - began, "bytes": written}


def _empty(out: Path) -> None:
    """Make `out` an empty folder; an older synthetic delivery in it is replaced."""
    if out.is_file():
        raise InputError(f"{out} is a file; give an empty folder or an older synthetic delivery.")
    out.mkdir(parents=True, exist_ok=True)
    foreign = sorted(path.name for path in out.iterdir() if path.name not in OURS)
    if foreign:
        raise InputError(
            f"{out} holds other files ({foreign[0]}); give an empty folder or an older synthetic delivery."
        )
    for name in ("delivery.yaml", "truth.json"):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / "raw", ignore_errors=True)
    (out / "raw").mkdir()


def _block_sizes(settings: SynthSettings) -> list[int]:
    full, rest = divmod(settings.persons, settings.block_persons)
    return [settings.block_persons] * full + ([rest] if rest else [])


def _write_persons(raw: RawFiles, block: Block, settings: SynthSettings, span: Calendar) -> None:
    rng, year = block.generator("references"), settings.years[1]
    raw.append("IR_BEN_R", "IR_BEN_R.csv", year, references.ben_rows(rng, block.people, span, year))
    raw.append("IR_IMB_R", "IR_IMB_R.csv", year, references.imb_rows(rng, block.people, span, year))


def _write_packs(raw: RawFiles, settings: SynthSettings) -> dict[str, int]:
    year = settings.years[1]
    rng = np.random.default_rng([settings.seed, 1 << 30])
    lines, nameless = references.pha_rows(rng, year, settings.rates["pack_without_atc"])
    raw.append("IR_PHA_R", "IR_PHA_R.csv", year, lines)
    return {"packs_without_atc": nameless}


def _planted_faults(settings: SynthSettings, span: Calendar) -> list[dict[str, str]]:
    what = {row["name"]: row["what"] for row in rows("faults.csv")}
    month = faults.month_text(faults.fault_month(span))
    where = {"bad_return_codes": str(settings.years[1])}
    return [{"name": name, "where": where.get(name, month), "what": what[name]} for name in settings.faults]


def _write_descriptions(out: Path, raw: RawFiles, settings: SynthSettings, planted: dict[str, Any]) -> None:
    description = {
        "name": f"synthetic-{settings.seed}",
        "synthetic": True,
        "delimiter": ";",
        "encoding": "utf-8",
        "null_values": [""],
        "date_formats": ["%Y-%m-%d"],
        "person": {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"},
        "tables": raw.described(),
    }
    (out / "truth.json").write_text(json.dumps(planted, indent=1) + "\n", "utf-8")
    (out / "delivery.yaml").write_text(yaml.safe_dump(description, sort_keys=False, width=120), "utf-8")
