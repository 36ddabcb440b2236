"""Where reviews are kept: a database reached through SQLAlchemy, SQLite or PostgreSQL.

The environment variable ``PLANELAB_DATABASE`` holds its URL, such as ``sqlite:////srv/planelab/reviews.sqlite`` or
``postgresql://user:password@host/planelab``. Without it reviews go to ``planelab/reviews.sqlite`` in the user's data
folder (``$XDG_DATA_HOME``, else ``~/.local/share``), where a new checkout or container image does not lose them.

The user's own file is made where it is missing. A file that an address names is made too, but never its folder, and not
by whoever only reads: an address that was mistyped would otherwise lead to an empty database and no word about it.

Rows are only ever appended. SQLite writes ahead to a log that it syncs at every commit: what was acknowledged stays,
readers do not wait for writers, and writers wait for each other. That log needs a local disk; on a network file system
use PostgreSQL.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, String, Table, Text, event, inspect, select, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeDecorator

from core.errors import DatabaseError, ReviewError
from core.reviews.review import Review

log = logging.getLogger("planelab")
DATABASE_VARIABLE = "PLANELAB_DATABASE"
FILE_NAME = "reviews.sqlite"
WAIT_SECONDS = 30
"""How long a writer waits for others, and a connection for its server."""
CREATION_LOCK = 4_731_905
"""Any number that no other program of the same PostgreSQL database locks: two may come to make the table at once."""


class _UTCDateTime(TypeDecorator[datetime]):
    """A time in UTC: SQLite forgets the time zone, PostgreSQL answers in the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


_TABLE = Table(
    "reviews",
    MetaData(),
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("review_id", String(32), nullable=False, unique=True),
    Column("made_at", _UTCDateTime, nullable=False),
    Column("reader", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("image_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("predicted", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("reading", Text, nullable=False),
    Column("right_label", Text, nullable=False),
    Column("valid", Boolean),
    Column("causes", Text, nullable=False),
    Column("comment", Text, nullable=False),
    # A number is never given twice, so the order of appending stays what it was.
    sqlite_autoincrement=True,
)
_FIELDS = tuple(field.name for field in fields(Review))


def database_url(environment: Mapping[str, str] = os.environ) -> str:
    """The URL from the environment, or the file in the user's data folder."""
    given = environment.get(DATABASE_VARIABLE, "").strip()
    if given:
        return given
    return URL.create("sqlite", database=str(_own_file(environment))).render_as_string()


def _own_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file in the user's data folder."""
    data = environment.get("XDG_DATA_HOME", "").strip() or Path.home() / ".local" / "share"
    return Path(data).absolute() / "planelab" / FILE_NAME


class ReviewStore:
    """Reviews in a database; made and checked when the store is.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL of SQLite or PostgreSQL.
    create : bool
        Whether a file of SQLite that is not there is made.

    Raises
    ------
    DatabaseError
        If the URL is not usable, the database cannot be reached, or holds a table of another shape.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._engine, self.place = _engine(url, create)
        with self._working("reached", "check that it runs, its address and your rights in it"):
            _make_table(self._engine)
            self._check_columns()

    def append(self, review: Review) -> None:
        """Add one review; when this returns, it is on disk.

        Raises
        ------
        DatabaseError
            If it could not be written; nothing was then.
        """
        with self._writing() as connection:
            connection.execute(_TABLE.insert(), _to_row(review))

    def extend(self, reviews: Sequence[Review]) -> int:
        """Add those that are not there yet, all or none, and return how many these were.

        Raises
        ------
        ReviewError
            If one has the id of a review that says something else.
        DatabaseError
            If they could not be written; nothing was then.
        """
        with self._writing() as connection:
            known = {one.review_id: one for one in self._read(connection)}
            for review in reviews:
                if known.get(review.review_id, review) != review:
                    raise ReviewError(
                        f"The review {review.review_id} is there already and says something else; reviews are never "
                        "changed, so give the new one an id of its own."
                    )
            rows = [_to_row(review) for review in reviews if review.review_id not in known]
            if rows:
                connection.execute(_TABLE.insert(), rows)
        return len(rows)

    def all(self) -> list[Review]:
        """Every review, in the order in which they were appended.

        Raises
        ------
        DatabaseError
            If they cannot be read.
        """
        with self._working("read", "check that it runs and is where it was"), self._engine.connect() as connection:
            return self._read(connection)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _read(self, connection: Connection) -> list[Review]:
        return [_from_row(row) for row in connection.execute(select(_TABLE).order_by(_TABLE.c.number)).mappings()]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        advice = "check that it runs, is where it was and has space, and save again"
        with self._working("written", advice), self._engine.begin() as one:
            yield one

    @contextmanager
    def _working(self, what: str, advice: str) -> Iterator[None]:
        """The driver's errors as a sentence; they may quote the password, so only the trace holds them."""
        try:
            yield
        except SQLAlchemyError as error:
            raise DatabaseError(f"The database of reviews ({self.place}) cannot be {what}; {advice}.") from error

    def _check_columns(self) -> None:
        found = {column["name"] for column in inspect(self._engine).get_columns(_TABLE.name)}
        missing = sorted({column.name for column in _TABLE.columns} - found)
        if missing:
            raise DatabaseError(
                f"The table {_TABLE.name} of {self.place} lacks the column {missing[0]!r}, so another program or "
                f"version made it; set {DATABASE_VARIABLE} to a database of its own."
            )


def _engine(url: str, create: bool) -> tuple[Engine, str]:
    """An engine and the words for where it leads, without a password."""
    advice = f"set {DATABASE_VARIABLE} to sqlite:////PATH/{FILE_NAME} or postgresql://USER:PASSWORD@HOST/NAME."
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(f"The address of the database of reviews is no URL; {advice}") from error
    # A password may stand among the options, too.
    place = parsed.set(query={}).render_as_string(hide_password=True)
    try:
        if kind == "sqlite":
            return _sqlite_engine(parsed, place, create), place
        if kind == "postgresql":
            options = {"connect_timeout": WAIT_SECONDS}
            return sqlalchemy.create_engine(parsed, pool_pre_ping=True, connect_args=options), place
    except OSError as error:
        raise DatabaseError(
            f"The folder of the database of reviews ({place}) cannot be made; check its path and rights."
        ) from error
    except (SQLAlchemyError, ImportError, TypeError) as error:
        raise DatabaseError(f"The database of reviews ({place}) has no driver here; {advice}") from error
    raise DatabaseError(f"Reviews are kept in SQLite or PostgreSQL, not in {kind}; {advice}")


def _sqlite_engine(url: URL, place: str, create: bool) -> Engine:
    """Connections to a file that is there; each is made anew, for one that is kept would write into a deleted file."""
    path = Path(url.database or "").expanduser().absolute()
    if not path.exists():
        _make_file(path, place, create)
    engine = sqlalchemy.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=WAIT_SECONDS),
        poolclass=NullPool,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _make_file(path: Path, place: str, create: bool) -> None:
    if not create:
        raise DatabaseError(f"There is no database of reviews at {place}; check its address.")
    if path == _own_file():
        path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.is_dir():
        raise DatabaseError(
            f"The folder of the database of reviews ({place}) is not there; check the address, or make the folder."
        )
    path.touch()
    log.warning("a new database of reviews: %s", place)


def _make_table(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CREATION_LOCK})
        connection.execute(CreateTable(_TABLE, if_not_exists=True))


def _to_row(review: Review) -> dict[str, Any]:
    return asdict(review) | {"causes": ",".join(review.causes)}


def _from_row(row: Mapping[str, Any]) -> Review:
    values = {name: row[name] for name in _FIELDS}
    return Review(**values | {"causes": tuple(row["causes"].split(",")) if row["causes"] else ()})
