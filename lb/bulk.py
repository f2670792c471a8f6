"""Many rows in one go: `executemany` where that is cheap (SQLite), one statement over a JSON document on PostgreSQL.

PostgreSQL spends more on a statement than on a row. No statement here needs a plan that could age: rows are found by
unique keys only. What the rows are is said by the callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]
LENGTH = "length"
"""No column is called so."""
_json = msgspec.json.Encoder().encode
_POSTGRESQL: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


class Way(Enum):
    """What is done with rows: all are new; known keys are left alone; known keys get new values.

    REVISE is for rows that are there; all columns that may not be null and have no default must be given.
    """

    INSERT = "insert"
    KEEP = "keep"
    REPLACE = "replace"
    REVISE = "revise"


def write(conn: sa.Connection, way: Way, table: sa.Table, rows: Sequence[Row], fixed: tuple[str, ...] = (),
          large: str = "") -> None:
    """Write rows with the same columns in each, among them the primary key (but for new rows that get one).

    The columns named `fixed` are as they were in rows that are there; `large` is one with many bytes, which travel
    beside the document.
    """
    if not rows:
        return
    names = tuple(rows[0])
    if conn.dialect.name == "postgresql":
        beside, told = _apart(rows, large) if large else ((), rows)
        conn.exec_driver_sql(_whole(way, table, names, fixed, large), (*beside, _json(told).decode()))
    else:
        text, values = _single(way, table, names, fixed, conn.dialect)
        conn.exec_driver_sql(text, [values(row) for row in rows])


def insert(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An insert of this database that may say what is done on a conflict."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def among(dialect: str, column: sa.Column[str], name: str) -> sa.ColumnElement[bool]:
    """True of rows with one of the texts in the parameter `name`, which is what `listed` makes of them.

    One statement for any number, where IN would be a new one for each number.
    """
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(sa.Text)))
    each = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
    return column.in_(sa.select(each.c.value))


def listed(dialect: str, texts: Iterable[str]) -> Any:
    """Texts as the parameter of `among`."""
    return list(texts) if dialect == "postgresql" else _json(list(texts)).decode()


@lru_cache
def _single(way: Way, table: sa.Table, names: tuple[str, ...], fixed: tuple[str, ...],
            dialect: sa.Dialect) -> tuple[str, Callable[[Row], Any]]:
    """A statement for one row, and its values in their places: without SQLAlchemy's preparation of each row, which
    takes longer than SQLite's own work.
    """
    columns = list(_changing(table, names, fixed) if way is Way.REVISE else names)
    compiled: Any = _statement(way, table, names, fixed).compile(dialect=dialect, column_keys=columns)
    return str(compiled), itemgetter(*compiled.positiontup)


def _changing(table: sa.Table, names: tuple[str, ...], fixed: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in fixed and not table.c[name].primary_key]


def _statement(way: Way, table: sa.Table, names: tuple[str, ...], fixed: tuple[str, ...]) -> sa.Insert | sa.Update:
    key = [column.name for column in table.primary_key]
    values = _changing(table, names, fixed)
    if way is Way.REVISE:
        return table.update().where(*(table.c[name] == sa.bindparam(name) for name in key)).values(
            {name: sa.bindparam(name) for name in values})
    made = sqlite.insert(table)
    if way is Way.KEEP:
        return made.on_conflict_do_nothing()
    return made if way is Way.INSERT else made.on_conflict_do_update(
        index_elements=key, set_={name: made.excluded[name] for name in values})


def _apart(rows: Sequence[Row], large: str) -> tuple[tuple[bytes], list[Row]]:
    """The bytes of a column in one piece, and the rows with their lengths and beginnings (from 1) in it."""
    lengths = [len(row[large]) for row in rows]
    begins = accumulate(lengths, initial=1)
    told = [{**row, large: begin, LENGTH: length} for row, begin, length in zip(rows, begins, lengths, strict=False)]
    return (b"".join([row[large] for row in rows]),), told


@lru_cache
def _whole(way: Way, table: sa.Table, names: tuple[str, ...], fixed: tuple[str, ...], large: str = "") -> str:
    """A statement for all rows of a document; bytes are base64 in it, those of `large` a parameter of their own."""
    told = [f"{name} {_type(table.c[name])}" if name != large else f"{name} integer, {LENGTH} integer"
            for name in names]
    taken = [_taken(table.c[name]) if name != large else f"substring(%b FROM {name} FOR {LENGTH})" for name in names]
    return (f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(taken)} "
            f"FROM json_to_recordset(CAST(%s AS json)) AS told({', '.join(told)})"
            f"{_conflict(way, table, names, fixed)}")


def _taken(column: sa.Column[Any]) -> str:
    return f"decode({column.name}, 'base64')" if _is_bytes(column) else column.name


def _conflict(way: Way, table: sa.Table, names: tuple[str, ...], fixed: tuple[str, ...]) -> str:
    key = [column.name for column in table.primary_key]
    values = ", ".join(f"{name} = excluded.{name}" for name in _changing(table, names, fixed))
    said = {Way.INSERT: "", Way.KEEP: " ON CONFLICT DO NOTHING"}
    return said.get(way, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {values}")


def _is_bytes(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.LargeBinary)


def _type(column: sa.Column[Any]) -> str:
    return "text" if _is_bytes(column) else column.type.compile(dialect=_POSTGRESQL)
