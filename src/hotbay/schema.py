"""Hotbay's own tables. All start with `hotbay_`; they live in the host's database file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Dialect, Float, Integer, MetaData, String, Table, Text, TypeDecorator

metadata = MetaData()


class Lenient(TypeDecorator[Any]):
    """JSON that reads as None when it is none: one row that something else wrote over must not hide the others."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """What decodes a value of the database."""
        inner = super().result_processor(dialect, coltype)

        def decode(value: Any) -> Any:
            try:
                return inner(value) if inner is not None else value
            except (ValueError, TypeError):
                return None

        return decode


meta = Table("hotbay_meta", metadata, Column("name", String, primary_key=True), Column("value", JSON))

live = Table(
    "hotbay_live",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("image", String, nullable=False),
    Column("state", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("manifest", Lenient, nullable=False),
    Column("contributions", Lenient, nullable=False),
    Column("source", String, nullable=False, default=""),
    Column("grants", Lenient, nullable=False),
    Column("installed_at", String, nullable=False),
    Column("updated_at", String, nullable=False),
    Column("problem", Text, nullable=False, default=""),
    Column("settings_rev", Integer, nullable=False, default=0),
    Column("extra", Lenient, nullable=False),
)

candidates = Table(
    "hotbay_candidates",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("data", Lenient, nullable=False),
)

versions = Table(
    "hotbay_versions",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("image", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("source", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("contributions", JSON, nullable=False),
    Column("at", String, nullable=False),
)

operations = Table(
    "hotbay_operations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("plugin", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("state", String, nullable=False),
    Column("switched", Boolean, nullable=False, default=False),
    Column("plan", JSON, nullable=False),
    Column("result", JSON),
    Column("error", JSON),
    Column("pid", Integer, nullable=False),
    Column("created_at", String, nullable=False),
    Column("finished_at", String),
    sqlite_autoincrement=True,
)

steps = Table(
    "hotbay_steps",
    metadata,
    Column("operation", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("verb", String, nullable=False),
    Column("state", String, nullable=False),
    Column("record", JSON),
    Column("seconds", Float),
    Column("error", Text),
)

ledger = Table(
    "hotbay_ledger",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("checksum", String, nullable=False),
    Column("down", Text),
    Column("undo", JSON),
    Column("contract", JSON(none_as_null=True)),
    Column("operation", Integer, nullable=False),
    Column("applied_at", String, nullable=False),
)

plugin_settings = Table(
    "hotbay_settings",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("data", JSON, nullable=False),
    Column("secrets", JSON, nullable=False),
)

audit = Table(
    "hotbay_audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("plugin", String, nullable=False),
    Column("before", String, nullable=False, default=""),
    Column("after", String, nullable=False, default=""),
    Column("result", String, nullable=False),
    Column("operation", Integer),
    Column("detail", JSON),
    sqlite_autoincrement=True,
)

receipts = Table(
    "hotbay_receipts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("operation", Integer, nullable=False, unique=True),
    Column("sha256", String, nullable=False),
    Column("signed", JSON, nullable=False),
    Column("at", String, nullable=False),
)

refusals = Table(
    "hotbay_refusals",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("problem", Text, nullable=False),
    Column("at", String, nullable=False),
)

backups = Table(
    "hotbay_backups",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("plugin", String, nullable=False),
    Column("version", String, nullable=False),
    Column("image", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("operation", Integer, nullable=False),
    Column("folder", String, nullable=False),
    Column("tables", JSON, nullable=False),
    Column("ledger", JSON, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("at", String, nullable=False),
    Column("restored_by", Integer),
    sqlite_autoincrement=True,
)

confirmations = Table(
    "hotbay_confirmations",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("operation", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("version", String, nullable=False),
    Column("image", String, nullable=False),
    Column("before_version", String, nullable=False),
    Column("before_image", String, nullable=False),
    Column("keep_new_rows", Boolean, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("used", Float, nullable=False),
    Column("wall", Float, nullable=False),
    Column("up", Float, nullable=False),
    Column("boot", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("at", String, nullable=False),
    Column("ended_at", String),
)
