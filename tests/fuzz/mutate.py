"""Ways to spoil a raw file. Each takes (random, bytes) and gives bytes, and does the same for the same random."""

import gzip
import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import zstandard
from sas_files import Missing, sas_table

ODD_VALUES = (
    "1e309", "-1e309", "NaN", "inf", "0x1F", "9" * 18, "9" * 19, "9" * 400, "-0", "1e", "1_000", "１２", "1,5", " 12 ", "+",
    "12.", ".5", ".", "0001-01-01", "1600-01-01", "9999-12-31", "10000-01-01", "2016-02-30", "00/00/0000", "31DEC2016",
    "31DÉC2016", "2016-01-01 25:00:00", "-2016-01-01", "0000-01-01", "", " ", "\t", "NULL", "\\N", "\x00", "\x1a",
    "\u2028", "\ufeff", "\U0001f480", "'", '"', '""', '"x', 'x"y', "=1+1", "%s%n", "${HOME}", "../..",
)  # fmt: skip
ODD_NAMES = (
    "", " ", "claim_row", "person_id", "source_table", "__row", "ER_PHA_F__PHA_PRS_C13", "MCO_B__DGN_PAL", 'a"b', "a\x00b",
    "FLX_DIS_DTD", "ETA_NUM", "BEN_NIR_PSA", "ben_nir_psa", "n" * 5000, "é", "\ufeffX", "period", "table", "a/b", "\x1b[1m",
    "flx_dis_dtd", "Pha_Cip_C13", "1", "SELECT", "a\rb", '"a', "rows",
)  # fmt: skip
PIECES = (b"\x00", b"\xff", b"\xe9", b"\xc3", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\n\n", b";", b";;", b'"', b'""', b"\x1a",
          b"\x85", b"\xe2\x80\xa8", b" ", b"\t", b"\x0b", b"\xed\xa0\x80", b'";"', b'"\n', b"0x1F")  # fmt: skip


def _lines(data):
    return data.split(b"\n")


def _cells(data):
    return [line.split(b";") for line in _lines(data)]


def _text(cells):
    return b"\n".join(b";".join(line) for line in cells)


# --- bytes ---------------------------------------------------------------------------------------------------------


def flipped(random, data):
    spoiled = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 20))):
        spoiled[random.randrange(len(spoiled))] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def overwritten(random, data):
    spoiled = bytearray(data)
    for _ in range(random.choice((1, 5, 50))):
        spoiled[random.randrange(len(spoiled))] = random.randrange(256)
    return bytes(spoiled)


def inserted(random, data):
    for _ in range(random.choice((1, 1, 2, 10))):
        at = random.randrange(len(data) + 1)
        data = data[:at] + random.choice(PIECES) + data[at:]
    return data


def deleted(random, data):
    at = random.randrange(len(data))
    return data[:at] + data[at + random.choice((1, 2, 30)) :]


def truncated(random, data):
    return data[: random.randrange(len(data))]


def spliced(random, data):
    at, start = random.randrange(len(data)), random.randrange(len(data))
    return data[:at] + data[start : start + random.randrange(200)] + data[at:]


def noise(random, data):
    return random.randbytes(random.choice((1, 7, 300, 5000)))


def empty(random, data):
    return random.choice(
        (b"", b"\n", b"\r\n", b"\n\n\n", b" ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b";", b'"', b"\x00", b";;;\n")
    )


# --- lines, columns, values ----------------------------------------------------------------------------------------


def header_only(random, data):
    return _lines(data)[0] + random.choice((b"", b"\n", b"\r\n", b"\n\n", b"\r"))


def no_header(random, data):
    return data.partition(b"\n")[2]


def endings(random, data):
    choices = random.choice(((b"\n", b"\r\n"), (b"\r",), (b"\n", b"\r\n", b"\r", b"\n\r", b"\r\r\n"), (b"\r\n",)))
    return b"".join(line + random.choice(choices) for line in _lines(data.rstrip(b"\n")))


def unended(random, data):
    return data.rstrip(b"\n") + random.choice((b"", b"\r", b'"', b";", b"\x00"))


def blank_lines(random, data):
    lines = _lines(data)
    for _ in range(random.choice((1, 3, 30))):
        lines.insert(random.randrange(len(lines) + 1), random.choice((b"", b"\r", b" ", b"\t", b";", b'""')))
    return b"\n".join(lines)


def shuffled_lines(random, data):
    lines = _lines(data) * random.choice((1, 1, 2))
    random.shuffle(lines)
    return b"\n".join(lines)


def delimiters(random, data):
    other = random.choice((b",", b"\t", b"|", b";;", b" ;", b"\x01", b'";"'))
    return data.replace(b";", other, random.choice((-1, 1, 3)))


def columns_swapped(random, data):
    cells = _cells(data)
    one, two = random.randrange(len(cells[0])), random.randrange(len(cells[0]))
    for line in cells if random.random() < 0.5 else cells[:1]:
        if len(line) > max(one, two):
            line[one], line[two] = line[two], line[one]
    return _text(cells)


def columns_dropped(random, data):
    cells = _cells(data)
    at = random.randrange(len(cells[0]))
    for line in cells if random.random() < 0.7 else random.sample(cells, 2):
        del line[at : at + 1]
    return _text(cells)


def columns_twice(random, data):
    cells = _cells(data)
    at = random.randrange(len(cells[0]))
    for line in cells if random.random() < 0.7 else random.sample(cells, 2):
        line.extend(line[at : at + 1])
    return _text(cells)


def columns_renamed(random, data):
    cells = _cells(data)
    for _ in range(random.choice((1, 1, 2))):
        cells[0][random.randrange(len(cells[0]))] = random.choice(ODD_NAMES).encode()
    return _text(cells)


def columns_added(random, data):
    """One to three columns more, of odd names and values."""
    cells = _cells(data)
    for name in random.sample(ODD_NAMES, random.choice((1, 1, 3))):
        cells[0].append(name.encode())
        for line in cells[1:-1]:
            line.append(random.choice(ODD_VALUES).encode())
    return _text(cells)


def values_changed(random, data):
    cells = _cells(data)
    for _ in range(random.choice((1, 2, 8))):
        line = random.choice(cells[1:-1])
        line[random.randrange(len(line))] = random.choice(ODD_VALUES).encode()
    return _text(cells)


def column_filled(random, data):
    """One column whole of the same odd value."""
    cells = _cells(data)
    at, value = random.randrange(len(cells[0])), random.choice(ODD_VALUES).encode()
    for line in cells[1:-1]:
        line[at] = value
    return _text(cells)


def quotes(random, data):
    """Quotes around, in the middle of, or at one end of some fields; doubled, unbalanced, over line breaks."""
    cells = _cells(data)
    forms = (
        b'"%s"',
        b'"%s',
        b'%s"',
        b'a"%s',
        b'""%s""',
        b'"%s"x',
        b'"%s\n"',
        b'"%s;"',
        b'"%s""',
        b'"\r\n%s"',
        b'"%s\r"',
    )
    for _ in range(random.choice((1, 1, 3, 12))):
        line = random.choice(cells)
        at = random.randrange(len(line))
        line[at] = random.choice(forms) % line[at]
    return _text(cells)


def long_field(random, data):
    cells = _cells(data)
    line = random.choice(cells)
    size = random.choice((5_000, 140_000, 1_100_000))
    line[random.randrange(len(line))] = random.choice((b"%s", b'"%s"', b'"%s')) % (
        random.choice((b"x", b"9", b"\n")) * size
    )
    return _text(cells)


# --- encodings -----------------------------------------------------------------------------------------------------


def encoded(random, data):
    text = data.decode().replace("1", random.choice(("é", "1", "€")))
    return text.encode(
        random.choice(("latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037")), "replace"
    )


def marked(random, data):
    return (
        random.choice(
            (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb", b"\xef\xbb\xbf\xef\xbb\xbf", b"\n", b"\x00")
        )
        + data
    )


def latin_bytes(random, data):
    cells = _cells(data)
    for _ in range(random.choice((1, 4))):
        line = random.choice(cells)
        line[random.randrange(len(line))] += random.choice((b"\xe9", b"\xff", b"\xc3\x28", b"\xf0\x9f", b"\x80"))
    return _text(cells)


# --- sizes ---------------------------------------------------------------------------------------------------------


def many_columns(random, data, number=10_000):
    lines = _lines(data)
    more = b"".join(b";C%d" % at for at in range(number))
    values = random.choice((b";", b";7", b";x", b';"q"')) * number
    return b"\n".join([lines[0] + more, *(line + values if line else line for line in lines[1:])])


def huge_line(random, data, size=100_000_000):
    """A line of 100 MB: one field, many fields, or in quotes, with line breaks, or never closed."""
    forms = (
        b"x" * size,
        b";" * size,
        b'"' + (b"y" * 9999 + b"\n") * (size // 10_000),
        b'"' + b"z" * size + b'"',
        b'""' * (size // 2),
    )
    at = data.index(b"\n", random.choice((0, len(data) // 2))) + random.choice((0, 1))
    return data[:at] + random.choice(forms) + data[at:]


# --- containers: (ending of the file name, bytes) ------------------------------------------------------------------


def gz(random, data):
    packed = gzip.compress(data, mtime=0)
    return ".csv.gz", _container(random, packed, data)


def zst(random, data):
    packed = zstandard.compress(data) * random.choice((1, 1, 2))
    return ".csv.zst", _container(random, packed, data)


def _container(random, packed, plain):
    """The packed bytes whole or spoiled, or the plain ones under a wrong name."""
    spoil = random.choice((None, truncated, flipped, overwritten, inserted, deleted, spliced, "plain", "empty", "tail"))
    if spoil in ("plain", "empty", "tail"):
        return {"plain": plain, "empty": b"", "tail": packed + b"\x00rubbish"}[spoil]
    return spoil(random, packed) if spoil else packed


def _table(data):
    parsed = pa_csv.read_csv(pa.BufferReader(data), parse_options=pa_csv.ParseOptions(delimiter=";"))
    return parsed.cast(pa.schema([(field.name, pa.string()) for field in parsed.schema]))


def _parquet(table, **settings):
    sink = io.BytesIO()
    pq.write_table(table, sink, **settings)
    return sink.getvalue()


def parquet_spoiled(random, data):
    whole = _parquet(_table(data), row_group_size=3, compression=random.choice(("snappy", "zstd", "none", "gzip")))
    spoil = random.choice((flipped, overwritten, truncated, deleted, inserted, spliced, flipped, overwritten))
    return ".parquet", spoil(random, whole)


def _odd_column(random, rows):
    kinds = (
        lambda: pa.array([[1, 2]] * rows),
        lambda: pa.array([{"a": 1}] * rows),
        lambda: pa.array([b"\xff\xfe"] * rows),
        lambda: pa.array([b"12"] * rows, pa.large_binary()),
        lambda: pa.array([True, None] * rows)[:rows],
        lambda: pa.nulls(rows),
        lambda: pa.array([float("nan"), float("inf")] * rows)[:rows],
        lambda: pa.array([1e300] * rows),
        lambda: pa.array([2**63 - 1] * rows),
        lambda: pa.array([2**64 - 1] * rows, pa.uint64()),
        lambda: pa.array([0] * rows, pa.date32()),
        lambda: pa.array([-(2**62)] * rows).cast(pa.timestamp("us")),
        lambda: pa.array([2**61] * rows).cast(pa.timestamp("ns", "Europe/Paris")),
        lambda: pa.array([2**31 - 1] * rows, pa.int32()).view(pa.date32()),
        lambda: pa.array([2**60] * rows, pa.int64()).cast(pa.timestamp("s")),
        lambda: pa.array([5] * rows, pa.duration("s")),
        lambda: pa.array([5] * rows, pa.time64("us")),
        lambda: pa.array([[("a", 1)]] * rows, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array(["a"] * rows).dictionary_encode(),
        lambda: pa.array(["12"] * rows, pa.large_string()),
        lambda: pa.array([1] * rows).cast(pa.decimal128(20, 2)),
        lambda: pa.array([1.5] * rows, pa.float16()),
        lambda: pa.array(["x\x00y"] * rows),
    )
    return random.choice(kinds)()


def parquet_types(random, data):
    """Columns of other types than texts: nested, binary, out of range."""
    table = _table(data)
    for _ in range(random.choice((1, 2, 4))):
        at = random.randrange(table.num_columns)
        name = random.choice((table.column_names[at], *ODD_NAMES)) if random.random() < 0.2 else table.column_names[at]
        table = table.set_column(at, name, _odd_column(random, table.num_rows))
    return ".parquet", _parquet(table)


def parquet_other(random, data):
    table = _table(data)
    choices = (
        lambda: _parquet(table.slice(0, 0)),
        lambda: _parquet(table.select([])),
        lambda: _parquet(pa.table([table.column(0), table.column(0)], names=["A", "A"])),
        lambda: data,
        lambda: b"",
        lambda: b"PAR1PAR1",
        lambda: _parquet(table)[:-8] + b"\xff\xff\xff\x7fPAR1",
    )
    return ".parquet", random.choice(choices)()


def parquet_typed(random, data):
    """The types that the values have themselves, in another unit, width or order of columns, in many row groups."""
    table = pa_csv.read_csv(pa.BufferReader(data), parse_options=pa_csv.ParseOptions(delimiter=";"))
    forms = {
        pa.int64(): (pa.float64(), pa.float32(), pa.decimal128(21, 2), pa.string(), pa.int64()),
        pa.date32(): (pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.date64(), pa.large_string(), pa.date32()),
        pa.string(): (pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.binary(), pa.string_view()),
    }
    schema = [field.with_type(random.choice(forms.get(field.type, (field.type,)))) for field in table.schema]
    table = table.cast(pa.schema(schema)).select(random.sample(table.column_names, table.num_columns))
    table = table.rename_columns([random.choice((str, str, str.lower, str.title))(name) for name in table.column_names])
    table = table.slice(0, random.choice((0, 1, table.num_rows, table.num_rows)))
    return ".parquet", _parquet(table, row_group_size=random.choice((1, 3, 1000)), use_dictionary=random.random() < 0.5)


def parquet_instants(random, data):
    """Days that are instants: some not midnight, some out of every calendar, or with a zone."""
    table = pa_csv.read_csv(pa.BufferReader(data), parse_options=pa_csv.ParseOptions(delimiter=";"))
    for at, field in enumerate(table.schema):
        if pa.types.is_date(field.type):
            seconds = pc.add(
                table.column(at).cast(pa.timestamp("s")).cast(pa.int64()), random.choice((0, 0, 3600, 2**40))
            )
            zone = random.choice((None, None, "UTC", "Europe/Paris"))
            table = table.set_column(at, field.name, seconds.cast(pa.timestamp("s", zone)))
    return ".parquet", _parquet(table, use_deprecated_int96_timestamps=random.random() < 0.3)


# --- SAS tables ----------------------------------------------------------------------------------------------------


def _sas_columns(random, data):
    """name -> (format, values), of the types that the values have themselves."""
    table = pa_csv.read_csv(pa.BufferReader(data), parse_options=pa_csv.ParseOptions(delimiter=";"))
    forms = {
        pa.int64(): ("", "BEST12", "F10", "Z13"),
        pa.float64(): ("", "COMMA12"),
        pa.date32(): ("DATE9", "DATETIME20"),
    }
    columns = {}
    for field, values in zip(table.schema, table.columns, strict=True):
        if field.type in forms and random.random() < 0.9:
            columns[field.name] = (random.choice(forms[field.type]), values.to_pylist())
        else:
            columns[field.name] = ("$", [str(value or "") for value in values.to_pylist()])
    return columns


def _sas(random, columns):
    rows = list(zip(*(values for _, values in columns.values()), strict=True))
    forms = {name: form for name, (form, _) in columns.items()}
    content = sas_table(forms, rows, compressed=random.random() < 0.5, wide=random.random() < 0.5)
    return ".sas7bdat", content


def sas_spoiled(random, data):
    ending, whole = _sas(random, _sas_columns(random, data))
    spoil = random.choice((flipped, overwritten, truncated, deleted, inserted, spliced, _in_the_head, _in_the_head))
    return ending, spoil(random, whole)


def _in_the_head(random, whole):
    """Among the first pages' words, which say how all the rest is to be read."""
    spoiled = bytearray(whole)
    for _ in range(random.choice((1, 1, 5))):
        start = random.choice((0, 1024, 4096, 8192))
        at = min(start + random.randrange(300), len(spoiled) - 1)
        spoiled[at] = random.randrange(256)
    return bytes(spoiled)


def sas_values(random, data):
    """Odd values and formats, columns in another case or order, no rows."""
    columns = _sas_columns(random, data)
    for name in random.sample(list(columns), min(len(columns), random.choice((1, 1, 3)))):
        form, values = columns[name]
        odd = random.choice(
            (Missing("A"), Missing("_"), None, 1e300, -1e300, 0.5, 2.0**53, 2.0**60, -0.0, 1e15, float("inf"))
        )
        if form.startswith("$"):
            values = [random.choice(("", " ", "é" * 30, "x" * 200, value)) for value in values]
        else:
            form = random.choice((form, "DATE9", "DATETIME20", "E8601DA10", "MONYY7", "TIME8", "MYOWN", ""))
            values = [random.choice((odd, value)) for value in values]
        columns[name] = (form, values)
    names = random.sample(list(columns), len(columns))
    kept = {random.choice((str, str, str.lower, str.title))(name): columns[name] for name in names}
    if random.random() < 0.15:
        kept = {name: (form, []) for name, (form, _) in kept.items()}
    return _sas(random, kept)


def sas_other(random, data):
    ending, whole = _sas(random, _sas_columns(random, data))
    gone = random.choice((data, b"", whole * 2, whole[: len(whole) // 2], whole[:1024], whole + bytes(4096)))
    return random.choice(((ending, gone), (f"{ending}.gz", gzip.compress(whole)), (".csv", whole), (".parquet", whole)))


CSV = (
    flipped, overwritten, inserted, deleted, truncated, spliced, noise, empty, header_only, no_header, endings, unended,
    blank_lines, shuffled_lines, delimiters, columns_swapped, columns_dropped, columns_twice, columns_renamed, columns_added,
    values_changed, column_filled, quotes, quotes, long_field, encoded, marked, latin_bytes,
)  # fmt: skip
CONTAINERS = (
    gz, zst, parquet_spoiled, parquet_types, parquet_typed, parquet_instants, parquet_other, sas_spoiled, sas_spoiled,
    sas_values, sas_other,
)  # fmt: skip
