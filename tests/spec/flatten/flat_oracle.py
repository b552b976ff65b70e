"""An independent reading of the flat tables' definition: SQL over the lines of the raw files, one join at a time.

It shares with the code the facts alone (contracts, products, sentinels), none of its reading, joining or hashing.
"""

import hashlib

import duckdb
import pyarrow as pa

from parcours.snds.contracts import load_product, load_table

SENTINELS = "(DATE '0001-01-01', DATE '1600-01-01')"


class Oracle:
    """Flat tables of a delivery of unquoted CSV files with the dates of `formats`."""

    def __init__(self, delivery, formats=("%Y-%m-%d",)):
        self.delivery, self.formats = delivery, list(formats)
        self.sql = duckdb.connect()
        self.persons, self.of_psa = self._persons()

    def flat(self, product_name, year):
        """View name of the flat rows of all the product's files of `year` (None: whatever their year)."""
        product = load_product(product_name)
        for table in (name for name in product.tables if name not in product.where_present):
            self._typed(table, product.key_of(table), year)
        self._give_persons(product)
        return self._claims(product) if product.form == "left_joins" else self._stays(product)

    def rejected(self, table):
        return self.sql.sql(f'SELECT count(*) FROM "{table}__lines" WHERE bad').fetchall()[0][0]

    # --- reading

    def _lines(self, table, year):
        header, rows = [], []
        for raw in self.delivery.files_of(table):
            if year is not None and raw.year != year:
                continue
            text = raw.path.read_bytes().decode(self.delivery.encoding).removeprefix("\ufeff")
            first, *lines = text.replace("\r\n", "\n").split("\n")
            names = first.split(self.delivery.delimiter)
            header += [name for name in names if name not in header]
            for line in filter(None, lines):
                values = line.split(self.delivery.delimiter)
                whole = len(values) == len(names)
                found = dict(zip(names, values, strict=True)) if whole else {}
                rows.append([found.get(name, "") for name in header] + [not whole])
        return header, rows

    def _typed(self, table, key, year):
        header, rows = self._lines(table, year)
        width = len(header)
        self.sql.register(
            "lines",
            pa.table(
                {"f": [r[:-1] + [""] * (width - len(r) + 1) for r in rows], "cut": [r[-1] for r in rows]},
                schema=pa.schema([("f", pa.list_(pa.string())), ("cut", pa.bool_())]),
            ),
        )
        contract = load_table(table).columns_of(year or 2016)
        columns, bad = [], ["cut"]
        for name, column in contract.items():
            if name in header:
                value, wrong = self._value(f"f[{header.index(name) + 1}]", column.type)
                columns.append(f'{value} AS "{name}"')
                bad.append(wrong)
            elif not column.optional:
                columns.append(f'NULL::{_type(column.type)} AS "{name}"')
        columns += [f"nullif(rtrim(f[{header.index(n) + 1}], ' '), '') AS \"{n}\"" for n in header if n not in contract]
        bad += [f'"{name}" IS NULL' for name in key]
        self.sql.sql(
            f'CREATE OR REPLACE TABLE "{table}__lines" AS SELECT *, ({" OR ".join(bad)}) AS bad '
            f"FROM (SELECT f, cut, {', '.join(columns)} FROM lines)"
        )
        self.sql.sql(
            f'CREATE OR REPLACE TABLE "{table}" AS '
            f'SELECT * EXCLUDE (f, cut, bad), rowid AS rid FROM "{table}__lines" WHERE NOT bad'
        )

    def _value(self, text, kind):
        trimmed = f"trim({text}, ' \t')"
        if kind == "string":
            return f"nullif(rtrim({text}, ' '), '')", "false"
        if kind == "integer":
            fits = f"regexp_full_match({trimmed}, '[+-]?[0-9]{{1,18}}(\\.0*)?')"
            value = f"CASE WHEN {fits} THEN regexp_extract({trimmed}, '-?[0-9]+')::BIGINT END"
            return value, f"({trimmed} <> '' AND NOT {fits})"
        if kind == "decimal":
            value = f"try_cast(nullif({trimmed}, '') AS DOUBLE)"
            return value, f"({trimmed} <> '' AND coalesce(NOT isfinite({value}), true))"
        day = f"try_strptime(nullif({trimmed}, ''), {self.formats})::DATE"
        return (f"CASE WHEN {day} IN {SENTINELS} THEN NULL ELSE {day} END", f"({trimmed} <> '' AND {day} IS NULL)")

    # --- persons

    def _persons(self):
        if not self.delivery.files_of("IR_BEN_R"):
            return {}, {}
        header, rows = self._lines("IR_BEN_R", None)
        seen = {}
        for row in rows:
            values = dict(zip(header, row, strict=False))
            couple = (values["BEN_NIR_PSA"], int(float(values["BEN_RNG_GEM"])))
            rank = (values.get("BEN_DTE_MAJ", ""), values.get("BEN_IDT_ANO", ""))
            seen[couple] = max(seen.get(couple, ("", "")), rank)
        persons = {couple: _hash(idt or f"{couple[0]}|{couple[1]}") for couple, (_, idt) in seen.items()}
        of_psa = {}
        for (psa, _), person in persons.items():
            of_psa.setdefault(psa, set()).add(person)
        return persons, of_psa

    def _give_persons(self, product):
        holder = product.patient or product.main
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
        if ranked:
            return self.persons.get((psa, rank or 1), _hash(f"{psa}|{rank or 1}"))
        found = self.of_psa.get(psa, {_hash(f"{psa}|1")})
        return next(iter(found)) if len(found) == 1 else None

    # --- joins

    def _columns(self, table):
        return [row[0] for row in self.sql.sql(f'DESCRIBE "{table}"').fetchall() if row[0] not in ("rid", "person_id")]

    def _claims(self, product):
        main = [f'm."{name}"' for name in self._columns(product.main)]
        joined, joins = [], ""
        for table in product.joined:
            joins += f' LEFT JOIN "{table}" ON ' + " AND ".join(f'm."{k}" = "{table}"."{k}"' for k in product.key)
            details = [name for name in self._columns(table) if name not in product.key]
            joined += [f'"{table}"."{name}" AS "{table}__{name}"' for name in details]
        order = ", ".join(f"{column.split(' AS ')[0]} NULLS FIRST" for column in joined)
        self.sql.sql(
            f"CREATE OR REPLACE VIEW flat_claims AS SELECT {', '.join(main + joined)}, m.person_id, "
            f"row_number() OVER (PARTITION BY m.rid ORDER BY {order})::INTEGER AS claim_row "
            f'FROM "{product.main}" m {joins}'
        )
        return "flat_claims"

    def _stays(self, product):
        keys = [f'm."{name}"' for name in product.key]
        of_main = [f'm."{n}" AS "{product.main}__{n}"' for n in self._columns(product.main) if n not in product.key]
        patient = [n for n in self._columns(product.patient) if n not in product.key]
        on = " AND ".join(f'm."{k}" = {{0}}."{k}"' for k in product.key)
        parts, details = [], []
        for place, table in enumerate(product.joined):
            own = [n for n in self._columns(table) if n not in product.key]
            details += [f"{table}__{n}" for n in own]
            columns = [f't."{n}" AS "{table}__{n}"' for n in own]
            parts.append(
                f"SELECT {', '.join(keys + of_main + [f'p.{chr(34)}{n}{chr(34)}' for n in patient] + columns)}, "
                f"p.person_id, '{table}' AS source_table, {place} AS place, m.rid AS stay "
                f'FROM "{product.main}" m LEFT JOIN "{product.patient}" p ON {on.format("p")} '
                f'LEFT JOIN "{table}" t ON {on.format("t")}'
            )
        order = ", ".join(f'"{name}" NULLS FIRST' for name in [*patient, *details])
        union = " UNION ALL BY NAME ".join(parts)
        self.sql.sql(
            f"CREATE OR REPLACE TABLE flat_stays AS SELECT * EXCLUDE (place, stay), "
            f"row_number() OVER (PARTITION BY stay ORDER BY place, {order})::INTEGER AS claim_row "
            f"FROM ({union})"
        )
        return "flat_stays"

    def differences(self, view, files):
        """(columns of one only, rows of the oracle only, rows of the files only)."""
        self.sql.sql(
            f"CREATE OR REPLACE VIEW files AS SELECT * FROM read_parquet({files}, union_by_name=true, "
            "hive_partitioning=false)"
        )
        names = {row[0] for row in self.sql.sql(f"DESCRIBE {view}").fetchall()}
        found = {row[0] for row in self.sql.sql("DESCRIBE files").fetchall()}
        both = ", ".join(f'"{name}"' for name in sorted(names & found))
        counts = [
            self.sql.sql(f"SELECT count(*) FROM (SELECT {both} FROM {a} EXCEPT ALL SELECT {both} FROM {b})").fetchall()[
                0
            ][0]
            for a, b in ((view, "files"), ("files", view))
        ]
        return sorted(names ^ found), *counts


def _type(kind):
    return {"integer": "BIGINT", "decimal": "DOUBLE", "date": "DATE", "string": "VARCHAR"}[kind]


def _hash(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big") >> 1
