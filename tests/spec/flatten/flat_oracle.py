"""An independent reading of the flat tables' definition: SQL over the lines of the raw files, one join at a time.

It shares with the code the facts alone (contracts, products, sentinels), none of its reading, joining or hashing.
"""

import hashlib
from datetime import date, datetime
from functools import cache

import duckdb
import pyarrow as pa

from parcours.snds.contracts import load_product, load_table

SENTINELS = ("0001-01-01", "1600-01-01")
UNKNOWN = "unknown"
SQL_TYPES = {"integer": "BIGINT", "decimal": "DOUBLE", "date": "DATE", "string": "VARCHAR"}
NOBODY = ("xxxxxxxxxxxxxxxxx", "XXXXXXXXXXXXXXXXD", "XXXXXXXXXXXXXXXXS")


class Oracle:
    """Flat tables of a delivery of unquoted CSV files with the dates of `formats`."""

    def __init__(self, delivery, formats=("%Y-%m-%d",)):
        self.delivery, self.formats = delivery, tuple(formats)
        self.sql = duckdb.connect()
        self.files = {}
        self.persons, self.of_psa = self._persons()

    def periods(self, product_name):
        """Periods that a file of the product belongs to, or has rows of."""
        product = load_product(product_name)
        return sorted({period for table in product.tables for file in self._read(product, table) for period in file})

    def flat(self, product_name, period):
        """View name of the flat rows of one period."""
        product = load_product(product_name)
        here = [table for table in product.tables if self._delivered(product, table, period)]
        there = [table for table in product.tables if table in here or table not in product.where_present]
        for table in there:
            self._typed(product, table, period)
        if product.form == "reference":
            self.sql.sql(f'CREATE OR REPLACE TABLE flat AS SELECT * EXCLUDE (rid) FROM "{product.main}"')
            return "flat"
        self._give_persons(product)
        details = [table for table in there if table not in (product.main, product.patient)]
        if product.form == "left_joins":
            return self._left_joins(product, details)
        return self._union(product, details, [table for table in details if table in here])

    def rejected(self, product_name, table, period):
        """Number of rejected rows of a delivered table, in a period that `flat` was last asked for or the unknown."""
        if period == UNKNOWN:
            return len(self._lines(load_product(product_name), table, period)[1])
        return self._one(f'SELECT count(*) FROM "{table}__lines" WHERE bad')

    def orphans(self, product_name, table):
        """View name of the orphans of a table, in the period that `flat` was last asked for."""
        product = load_product(product_name)
        on = " AND ".join(f'd."{name}" = m."{name}"' for name in product.key_of(table))
        columns = ", ".join(f'"{name}"' for name in self._columns(table))
        self.sql.sql(
            f'CREATE OR REPLACE VIEW orphans AS SELECT {columns} FROM "{table}" d '
            f'WHERE NOT EXISTS (FROM "{product.main}" m WHERE {on})'
        )
        return "orphans"

    # --- reading

    def _read(self, product, table):
        """For each file of a table, its lines by period: {period: (names, lines as lists of texts, or None)}."""
        if table not in self.files:
            self.files[table] = [self._periods_of_file(product, raw) for raw in self.delivery.files_of(table)]
        return self.files[table]

    def _periods_of_file(self, product, raw):
        text = raw.path.read_bytes().decode(self.delivery.encoding).removeprefix("\ufeff")
        first, *lines = text.replace("\r\n", "\n").split("\n")
        names = first.split(self.delivery.delimiter)
        rows = [line.split(self.delivery.delimiter) for line in lines if line]
        rows = [row if len(row) == len(names) else None for row in rows]
        if product.period_step != "month":
            return {"all" if product.period_step == "all" else str(raw.year): (names, rows)}
        place = names.index(product.period_column)
        months = [_month(row[place], self.formats) if row else UNKNOWN for row in rows]
        known = set(months) - {UNKNOWN}
        only = known.pop() if len(known) == 1 else UNKNOWN
        found = {}
        for month, row in zip(months, rows, strict=True):
            found.setdefault(only if month == UNKNOWN else month, (names, []))[1].append(row)
        return found

    def _delivered(self, product, table, period):
        return any(period in file for file in self._read(product, table))

    def _lines(self, product, table, period):
        """Columns of the files that have the period, and its lines in their order, None where not whole."""
        parts = [file[period] for file in self._read(product, table) if period in file]
        header = list(dict.fromkeys(name for names, _ in parts for name in names))
        lines = []
        for names, rows in parts:
            place = {name: number for number, name in enumerate(names)}
            order = [place.get(name) for name in header]
            same = order == list(range(len(header)))
            lines += [row if same or row is None else ["" if n is None else row[n] for n in order] for row in rows]
        return header, lines

    def _typed(self, product, table, period):
        """Table of the accepted rows of a period, with their number `rid`; and TABLE__lines of all, with `bad`."""
        header, lines = self._lines(product, table, period)
        cells = list(zip(*[[""] * len(header) if line is None else line for line in lines], strict=True))
        texts = {f"t{n}": pa.array(cells[n] if lines else [], pa.string()) for n in range(len(header))}
        self.sql.register("texts", pa.table({**texts, "cut": pa.array([line is None for line in lines], pa.bool_())}))
        contract = load_table(table).columns_of(_year(period))
        columns, bad = [], ["cut"]
        for name, column in contract.items():
            if name in header:
                value, wrong = self._value(f"t{header.index(name)}", column.type)
                columns.append(f'{value} AS "{name}"')
                bad += [wrong] if wrong else []
            elif not column.optional:
                columns.append(f'NULL::{SQL_TYPES[column.type]} AS "{name}"')
        columns += [f"nullif(rtrim(t{header.index(n)}, ' '), '') AS \"{n}\"" for n in header if n not in contract]
        bad += [f'"{name}" IS NULL' for name in product.key_of(table)]
        self.sql.sql(
            f'CREATE OR REPLACE TABLE "{table}__lines" AS SELECT * EXCLUDE (cut), ({" OR ".join(bad)}) AS bad '
            f"FROM (SELECT {', '.join(columns)}, {', '.join([*texts, 'cut'])} FROM texts)"
        )
        dropped = ", ".join(["bad", *texts])
        self.sql.sql(
            f'CREATE OR REPLACE TABLE "{table}" AS '
            f'SELECT * EXCLUDE ({dropped}), rowid AS rid FROM "{table}__lines" WHERE NOT bad'
        )

    def _value(self, text, kind):
        """SQL of the value of a text, and of whether it cannot be read."""
        trimmed = f"trim({text}, ' \t')"
        if kind == "string":
            return f"nullif(rtrim({text}, ' '), '')", None
        if kind == "integer":
            fits = f"regexp_full_match({trimmed}, '[+-]?[0-9]{{1,18}}(\\.0*)?')"
            value = f"CASE WHEN {fits} THEN regexp_extract({trimmed}, '-?[0-9]+')::BIGINT END"
            return value, f"({trimmed} <> '' AND NOT {fits})"
        if kind == "decimal":
            value = f"try_cast(nullif({trimmed}, '') AS DOUBLE)"
            return value, f"({trimmed} <> '' AND coalesce(NOT isfinite({value}), true))"
        day = f"try_strptime(nullif({trimmed}, ''), {list(self.formats)})::DATE"
        unknown = ", ".join(f"DATE '{sentinel}'" for sentinel in SENTINELS)
        return f"CASE WHEN {day} NOT IN ({unknown}) THEN {day} END", f"({trimmed} <> '' AND {day} IS NULL)"

    # --- persons

    def _persons(self):
        """Persons by (PSA, rank), and the set of them by PSA; IR_BEN_R goes before its archive."""
        seen = {}
        for place, table in enumerate(("IR_BEN_R_ARC", "IR_BEN_R")):
            if not self.delivery.files_of(table):
                continue
            for row in self.sql.sql(f"FROM {self.flat(table, 'all')}").to_arrow_table().to_pylist():
                couple = (row["BEN_NIR_PSA"], row["BEN_RNG_GEM"])
                rank = (place, row.get("BEN_DTE_MAJ") or date.min, row.get("BEN_IDT_ANO") or "")
                seen[couple] = max(seen.get(couple, rank), rank)
        persons = {couple: _hash(idt or f"{couple[0]}|{couple[1]}") for couple, (_, _, idt) in seen.items()}
        of_psa = {}
        for (psa, _), person in persons.items():
            of_psa.setdefault(psa, set()).add(person)
        return persons, of_psa

    def _give_persons(self, product):
        """A column person_id for the rows of the table that holds the person."""
        holder = product.patient or product.main
        if not product.person:
            self.sql.sql(f'ALTER TABLE "{holder}" ADD COLUMN person_id BIGINT')
            return
        psa, rank = product.person["psa"], product.person.get("rank")
        column = f'"{rank}"' if rank else "NULL::BIGINT"
        known = self.sql.sql(f'SELECT DISTINCT "{psa}", {column} FROM "{holder}"').fetchall()
        rows = [(p, r, self._person(p, r, bool(rank))) for p, r in known if p is not None]
        self.sql.register(
            "given",
            pa.table(
                {"psa": [r[0] for r in rows], "rank": [r[1] for r in rows], "person": [r[2] for r in rows]},
                schema=pa.schema([("psa", pa.string()), ("rank", pa.int64()), ("person", pa.int64())]),
            ),
        )
        self.sql.sql(
            f'CREATE OR REPLACE TABLE "{holder}" AS SELECT h.*, g.person AS person_id FROM "{holder}" h '
            f'LEFT JOIN given g ON h."{psa}" = g.psa AND {column} IS NOT DISTINCT FROM g.rank'
        )

    def _person(self, psa, rank, ranked):
        if psa in NOBODY:
            return None
        rank = 1 if rank is None else rank
        if ranked and (psa, rank) in self.persons:
            return self.persons[psa, rank]
        found = self.of_psa.get(psa, {_hash(f"{psa}|{rank}")})
        return next(iter(found)) if len(found) == 1 else None

    # --- joins

    def _columns(self, table):
        return [name for name in self._described(f'"{table}"') if name not in ("rid", "person_id")]

    def _described(self, relation):
        return {row[0]: row[1] for row in self.sql.sql(f"DESCRIBE {relation}").fetchall()}

    def _left_joins(self, product, details):
        main = [f'm."{name}"' for name in self._columns(product.main)]
        joined, joins = [], ""
        for table in details:
            key = product.key_of(table)
            joins += f' LEFT JOIN "{table}" ON ' + " AND ".join(f'm."{k}" = "{table}"."{k}"' for k in key)
            own = [name for name in self._columns(table) if name not in product.key]
            joined += [f'"{table}"."{name}" AS "{table}__{name}"' for name in own]
        order = ", ".join(f"{column.split(' AS ')[0]} NULLS FIRST" for column in joined)
        self.sql.sql(
            f"CREATE OR REPLACE TABLE flat AS SELECT {', '.join(main + joined)}, m.person_id, "
            f"row_number() OVER (PARTITION BY m.rid ORDER BY {order})::INTEGER AS claim_row "
            f'FROM "{product.main}" m {joins}'
        )
        return "flat"

    def _union(self, product, details, delivered):
        """`details`: tables that have columns; `delivered`: those that have rows of their own."""
        keys = [f'm."{name}"' for name in product.key]
        of_main = [f'm."{n}" AS "{product.main}__{n}"' for n in self._columns(product.main) if n not in product.key]
        patient = [n for n in self._columns(product.patient) if n not in product.key] if product.patient else []
        own = {
            t: {n: k for n, k in self._described(f'"{t}"').items() if n not in (*product.key, "rid")} for t in details
        }
        parts = []
        for place, table in enumerate(delivered or [product.main]):
            columns = [*keys, *of_main, *(f'p."{name}"' for name in patient)]
            for other, kinds in own.items():
                value = 't."{0}"' if other == table else "NULL::{1}"
                columns += [f'{value.format(name, kind)} AS "{other}__{name}"' for name, kind in kinds.items()]
            columns += [f"{'p' if product.patient else 'm'}.person_id", f"'{table}' AS source_table"]
            joins = self._join(product, product.patient, "p") if product.patient else ""
            joins += self._join(product, table, "t") if table != product.main else ""
            parts.append(
                f'SELECT {", ".join(columns)}, {place} AS place, m.rid AS mine FROM "{product.main}" m {joins}'
            )
        order = [f'"{name}"' for name in patient] + [f'"{t}__{n}"' for t, names in own.items() for n in names]
        order = ", ".join(["place", *(f"{name} NULLS FIRST" for name in order)])
        self.sql.sql(
            "CREATE OR REPLACE TABLE flat AS SELECT * EXCLUDE (place, mine), "
            f"row_number() OVER (PARTITION BY mine ORDER BY {order})::INTEGER AS claim_row "
            f"FROM ({' UNION ALL '.join(parts)})"
        )
        return "flat"

    def _join(self, product, table, name):
        on = " AND ".join(f'm."{key}" = {name}."{key}"' for key in product.key_of(table))
        return f' LEFT JOIN "{table}" {name} ON {on}'

    # --- comparing

    def differences(self, view, files):
        """(columns or types of one only, rows of the oracle only, rows of the files only)."""
        self.sql.sql(
            f"CREATE OR REPLACE VIEW files AS SELECT * FROM read_parquet({files}, union_by_name=true, "
            "hive_partitioning=false)"
        )
        mine, found = self._described(view), self._described("files")
        both = ", ".join(f'"{name}"' for name in sorted(set(mine) & set(found)))
        counts = [
            self._one(f"SELECT count(*) FROM (SELECT hash({both}) FROM {a} EXCEPT ALL SELECT hash({both}) FROM {b})")
            for a, b in ((view, "files"), ("files", view))
        ]
        return sorted(set(mine.items()) ^ set(found.items())), *counts

    def count(self, view):
        """Number of rows."""
        return self._one(f"SELECT count(*) FROM {view}")

    def _one(self, query):
        return self.sql.sql(query).fetchall()[0][0]


def _year(period):
    return int(period[:4]) if period[:4].isdigit() else None


@cache
def _month(text, formats):
    """The month of a day as 2016-01; unknown where it is none or a sentinel."""
    for form in formats:
        try:
            day = datetime.strptime(text.strip(" \t"), form).date()
        except ValueError:
            continue
        return UNKNOWN if day.isoformat() in SENTINELS else f"{day.year:04d}-{day.month:02d}"
    return UNKNOWN


def _hash(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big") >> 1
