"""Small valid deliveries that mutants are made of: claims with details, stays, a reference, persons."""

from pathlib import Path

import yaml

KEY = "DCT_ORD_NUM;FLX_DIS_DTD;FLX_EMT_NUM;FLX_EMT_ORD;FLX_EMT_TYP;FLX_TRT_DTD;ORG_CLE_NUM;PRS_ORD_NUM;REM_TYP_AFF"
MONTHS = ("2016-01-01", "2016-02-01")


def _file(header, lines):
    return "\n".join([header, *lines, ""]).encode()


def _psa(number):
    return f"PSA{number:04d}QWERTZUIO"


def _claim(number, month):
    return f"{770000 + number};{month};1;1;1;2016-01-15;01C731001;{number};0"


def _claims():
    keys = [(number, _claim(number, MONTHS[number % 2])) for number in range(1, 9)]
    return {
        "ER_PRS_F": _file(
            f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT;PRS_ACT_QTE",
            [f"{key};{_psa(number)};1;2016-01-{number:02d};{number}.25;{number}" for number, key in keys],
        ),
        "ER_PHA_F": _file(
            f"{KEY};PHA_PRS_C13;PHA_ACT_QSN", [f"{key};340090000{number:04d};2" for number, key in keys[:6]]
        ),
        "ER_CAM_F": _file(f"{KEY};CAM_PRS_IDE", [f"{key};NZMA{number:03d}" for number, key in keys[2:]]),
        "IR_BEN_R": _persons(),
    }


def _persons():
    lines = [f"{_psa(number)};1;ANONYMOUS{number:04d};2016-01-0{number}" for number in range(1, 6)]
    return _file("BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ", lines)


def _stays():
    keys = [(number, f"750712184;{88000 + number}") for number in range(1, 7)]
    return {
        "MCO_B": _file("ETA_NUM;RSA_NUM;DGN_PAL;SEJ_NBJ", [f"{key};S72{number};{number}" for number, key in keys]),
        "MCO_C": _file(
            "ETA_NUM;RSA_NUM;NIR_ANO_17;EXE_SOI_DTD",
            [f"{key};{_psa(number)};2016-03-0{number}" for number, key in keys],
        ),
        "MCO_A": _file(
            "ETA_NUM;RSA_NUM;CDC_ACT;ENT_DAT_DEL", [f"{key};NBCA{number:03d};1" for number, key in keys[1:]]
        ),
        "MCO_D": _file("ETA_NUM;RSA_NUM;ASS_DGN", [f"{key};I10{number}" for number, key in keys[:4]]),
        "MCO_UM": _file("ETA_NUM;RSA_NUM;DGN_PAL", [f"{key};S72{number}" for number, key in keys]),
        "IR_BEN_R": _persons(),
    }


def _packs():
    lines = [
        f"340090000{number:04d};N02BE{number:02d};parac\u00e9tamol {number};2001-05-1{number}" for number in range(9)
    ]
    return {"IR_PHA_R": _file("PHA_CIP_C13;PHA_ATC_C07;PHA_ATC_L07;PHA_DTD_ALM", lines)}


# Product -> table -> bytes of its one raw file.
BASES = {"DCIR": _claims(), "MCO": _stays(), "IR_PHA_R": _packs(), "IR_BEN_R": {"IR_BEN_R": _persons()}}


def write(folder, files, year, **settings):
    """A delivery of `files`: table -> (ending of the file name, bytes)."""
    folder.mkdir(parents=True)
    entries = {}
    for table, (ending, content) in files.items():
        Path(folder / f"{table}{ending}").write_bytes(content)
        entries[table] = {"files": f"{table}{ending}", "year": year}
    declared = {"name": "mutant", "tables": entries, **settings}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(declared, sort_keys=True))
    return folder
