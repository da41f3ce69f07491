"""One plugin, closely: how it fares, its files, tables, settings, log and backups."""

from __future__ import annotations

from typing_extensions import TypedDict

from hotbay.console.shapes import Json


class Span(TypedDict):
    """What came in a span from `at` (seconds since 1970); latencies in seconds, none without requests."""

    at: float
    requests: int
    failed: int
    p50: float | None
    p99: float | None


class Activity(TypedDict):
    """The last minutes in spans of `seconds`, all workers added up."""

    addon_id: str
    seconds: float
    total: Span
    spans: list[Span]


class File(TypedDict):
    """A file and its size."""

    name: str
    bytes: int


class Folder(TypedDict):
    """A folder's files; of very many only the first, but all are counted."""

    path: str
    count: int
    bytes: int
    files: list[File]


class Files(TypedDict):
    """The files of the code in service, and of the plugin's own folder."""

    addon_id: str
    version: str
    code: Folder
    data: Folder


class DataTable(TypedDict):
    """A table of a plugin; `bytes` with its indexes, none where the database can't tell."""

    name: str
    rows: int
    bytes: int | None
    columns: list[str]


class Tables(TypedDict):
    """A plugin's tables, and those of the host that it may read."""

    addon_id: str
    tables: list[DataTable]
    reads: list[str]
    rows: int
    bytes: int | None


class Settings(TypedDict):
    """A plugin's settings: JSON Schema and values; secrets are masked."""

    addon_id: str
    schema: Json | None
    values: Json
    revision: int


class License(TypedDict):
    """Whether there is a licence key; the key itself is never answered."""

    addon_id: str
    set: bool


class LogLines(TypedDict):
    """The end of a plugin's log."""

    addon_id: str
    lines: list[str]


class Backup(TypedDict):
    """A backup of a plugin's rows: `counts` by table, `migrations` that its tables had seen."""

    id: int
    plugin: str
    version: str
    image: str
    reason: str
    operation: int
    folder: str
    counts: dict[str, int]
    bytes: int
    sha256: str
    at: str
    rows: int
    migrations: list[int]
    restored_by: int | None


class Backups(TypedDict):
    """Backups, the newest first."""

    backups: list[Backup]


class Deleted(TypedDict):
    """The backup that is gone."""

    deleted: Backup
