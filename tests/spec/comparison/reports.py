"""Reports of two runs made by hand, as small tables."""

import csv
import json
from itertools import pairwise

from parcours.comparison.finished import read_finished

POPULATION = {"study_start": "2014-01-01", "study_end": "2017-12-31", "age_minimum": 65, "age_maximum": 120}
STUDY = {"cohort": "fall", "population": POPULATION, "medicines": {"level": "substance"}, "model": {"bucket_days": 14}}
DATA = {"DCIR": {"2016-01": "a", "2016-02": "b"}, "MCO": {"2016": "c"}, "IR_PHA_R": {"all": "d"}}
RUN = {
    "cohort": "fall",
    "name": "fall · 65 and over · data to 2016-02",
    "title": "Falls: 65 and over",
    "fingerprint": "a" * 16,
    "study": STUDY,
    "data": DATA,
    "codelists": {"fracture.yaml": "1"},
    "identity": "same",
    "code": "same",
    "code_version": "0.1.0",
}
STEPS = [("everybody", 9000), ("aged 65 to 120 on 2014-01-01", 5000), ("with a fracture", 1321)]
#            drug, name, exposed, flag, ri, lower, upper, p
PEAKS = [
    ("N05CF02", "Zolpidem", 400, "raised", 2.0, 1.4, 2.9, 0.001),
    ("N05BA12", "Alprazolam", 300, "none", 1.2, 0.8, 1.8, 0.3),
]
PEAK_COLUMNS = ("drug", "name", "exposed_cases", "flag", "ri", "lower", "upper", "p_value")
CURVE_COLUMNS = ("drug", "name", "lag", "day", "ri", "lower", "upper")


def another(fingerprint="b" * 16, study=None, **changes):
    """The run with some of it changed; `study` holds parameters of the population and others by section."""
    sections = {section: {**STUDY[section], **(study or {}).get(section, {})} for section in ("population", "model")}
    return {**RUN, "fingerprint": fingerprint, "study": {**STUDY, **sections}, **changes}


def write_report(folder, run=RUN, steps=STEPS, peaks=PEAKS, **counts):
    """run.json and report/ of a run; `counts` are events and persons_followed as they may leave."""
    report = folder / "report"
    report.mkdir(parents=True)
    lost = [0, *(
        before - after if isinstance(before, int) and isinstance(after, int) else "hidden"
        for (_, before), (_, after) in pairwise(steps)
    )]  # fmt: skip
    rows = [(place, *step, gone) for place, (step, gone) in enumerate(zip(steps, lost, strict=True), 1)]
    _write(report / "attrition.csv", ("step", "description", "persons", "lost"), rows)
    _write(report / "peaks.csv", PEAK_COLUMNS, [["" if cell is None else cell for cell in peak] for peak in peaks])
    curves = [(drug, name, lag, 14 * lag, ri or "", lower or "", upper or "")
              for drug, name, _, _, ri, lower, upper, _ in peaks for lag in (-1, 0, 1)]  # fmt: skip
    _write(report / "curves.csv", CURVE_COLUMNS, curves)
    manifest = {"fingerprint": run["fingerprint"], "summary": counts}
    (report / "_MANIFEST.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
    return folder


def finished(folder, run=RUN, **tables):
    """The run as a comparison reads it."""
    return read_finished(run, write_report(folder, run, **tables))


def _write(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
