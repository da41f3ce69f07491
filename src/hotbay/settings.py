"""Settings of a host: `hotbay.toml`, overridden by the environment, the same for server and command line."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hotbay.errors import InvalidConfig, Problem
from hotbay_sdk.rules import ID

Policy = Literal["none", "deactivate", "rollback"]
CONFIG_NAME = "hotbay.toml"
_SECRET = ("metrics_token",)
_PATHS = ("home", "local_packages", "app_dir")
_SQLITE = "sqlite:///"
_MEMORY = _SQLITE + ":memory:"
_FRAMES = ("none", "unverified", "all")
_toml: dict[str, Any] = {}


class Settings(BaseSettings):
    """Validated settings. Times are seconds. Environment: `HOTBAY_<NAME>`, `PLUGIN_SOURCE`, `PLUGIN_SERVER_URL`."""

    model_config = SettingsConfigDict(env_prefix="HOTBAY_", extra="forbid", frozen=True, populate_by_name=True)

    home: Path = Path("var")
    database_url: str = ""
    local_packages: Path | None = None
    plugin_source: Literal["local", "remote"] = Field(
        "local", validation_alias="PLUGIN_SOURCE", serialization_alias="plugin_source"
    )
    plugin_server_url: str = Field("", validation_alias="PLUGIN_SERVER_URL", serialization_alias="plugin_server_url")
    app: str = ""
    app_dir: Path | None = None
    api_prefix: str = "/api/v1"
    start_seconds: float = Field(30.0, gt=0, le=3600)
    health_seconds: float = Field(10.0, gt=0, le=600)
    drain_seconds: float = Field(10.0, ge=0, le=3600)
    ack_seconds: float = Field(3.0, gt=0, le=600)
    hold_seconds: float = Field(30.0, gt=0, le=600)
    lease_seconds: float = Field(30.0, ge=0, le=3600)
    receipt_seconds: float = Field(5.0, ge=0, le=600)
    keep_versions: int = Field(3, ge=1, le=100)
    leak_limit: int = Field(3, ge=1, le=1000)
    memory_pools: int = Field(1, ge=0, le=1024)
    keep_backups: int = Field(5, ge=1, le=1000)
    history_max: int = Field(10_000, ge=0, le=10_000_000)
    history_days: float = Field(730.0, ge=0, le=36_500)
    watch: bool = True
    watch_seconds: float = Field(0.25, ge=0.05, le=60)
    jobs: bool = True
    load_one_first: bool = False
    require_signature: bool = False
    safe_mode: bool = False
    stall_seconds: float = Field(0.2, ge=0, le=60)
    server_timing: bool = False
    metrics_token: SecretStr = SecretStr("")
    brand_name: str = Field("", max_length=60)
    brand_logo: str = ""
    brand_color: str = Field("", pattern=r"^(?:#[0-9a-fA-F]{6})?$")
    login_url: str = ""
    frontends: bool = True
    frontend_frames: Annotated[Literal["none", "unverified", "all"] | tuple[str, ...], NoDecode] = "none"
    asset_seconds: float = Field(604_800.0, ge=0, le=31_536_000)
    error_policy: Policy = "none"
    error_policies: dict[str, Policy] = {}
    error_budget: float = Field(0.5, ge=0, lt=1)
    error_window: float = Field(60.0, ge=5, le=180)
    error_requests: int = Field(20, ge=1, le=1_000_000)
    confirm_margin: float = Field(0.1, ge=0, lt=1)
    confirm_checks: int = Field(3, ge=1, le=100)
    confirm_check_seconds: float = Field(5.0, ge=0.1, le=600)

    @field_validator("api_prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        if value and (not value.startswith("/") or value.endswith("/") or "//" in value):
            raise ValueError("must start with '/' and not end with it, for example /api/v1")
        return value

    @field_validator("database_url")
    @classmethod
    def _engine(cls, value: str) -> str:
        if value and not value.startswith(_SQLITE):
            raise ValueError("must be a SQLite URL, for example sqlite:///var/billing.db")
        if value in (_SQLITE, _MEMORY):
            raise ValueError("must name a file: the workers share the database")
        return value

    @field_validator("brand_logo", "login_url")
    @classmethod
    def _of_this_site(cls, value: str) -> str:
        if value and (not value.startswith("/") or value.startswith("//") or "\\" in value):
            raise ValueError("must be a path of this site, for example /static/logo.svg")
        return value

    @field_validator("frontend_frames", mode="before")
    @classmethod
    def _frames(cls, value: Any) -> Any:
        named = _list(value) if isinstance(value, str) and value not in _FRAMES else value
        if named in _FRAMES:
            return named
        good = isinstance(named, list | tuple) and all(isinstance(one, str) and re.fullmatch(ID, one) for one in named)
        if not good:
            raise ValueError('must be "none", "unverified", "all", or the ids of plugins, for example ["ai_chatbot"]')
        return tuple(named)

    @field_validator("stall_seconds")
    @classmethod
    def _stall(cls, value: float) -> float:
        if 0 < value < 0.02:
            raise ValueError("must be at least 0.02, or 0 to watch nothing")
        return value

    @field_validator("history_max")
    @classmethod
    def _history(cls, value: int) -> int:
        if 0 < value < 100:
            raise ValueError("must be at least 100, or 0 to keep all")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _token(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and len(value.get_secret_value()) < 16:
            raise ValueError("must have at least 16 characters, or be empty")
        return value

    @model_validator(mode="after")
    def _remote(self) -> Settings:
        if self.plugin_source == "remote" and not self.plugin_server_url:
            raise ValueError("PLUGIN_SERVER_URL is needed when PLUGIN_SOURCE is 'remote'")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over `hotbay.toml`."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=dict(_toml))

    def framed(self, plugin: str, *, verified: bool) -> bool:
        """True when a plugin's frontend is not trusted, and shown in a frame of its own.

        `verified`: what is installed of it comes from a publisher whom the host trusts.
        """
        chosen = self.frontend_frames
        if isinstance(chosen, tuple):
            return plugin in chosen
        return chosen == "all" or (chosen == "unverified" and not verified)

    @property
    def database_path(self) -> Path:
        """The SQLite file that holds the host's, Hotbay's and the plugins' tables."""
        return Path(self.database_url.removeprefix(_SQLITE)) if self.database_url else self.home / "hotbay.db"

    @property
    def packages(self) -> Path:
        """The folder of the local source."""
        return self.local_packages or self.home / "modules"

    @property
    def plugins(self) -> Path:
        """The folder registry."""
        return self.home / "plugins"

    @property
    def images(self) -> Path:
        """Unpacked code by content hash."""
        return self.home / "images"

    @property
    def staging(self) -> Path:
        """Unpacked packages of operations in progress."""
        return self.home / "staging"

    @property
    def run(self) -> Path:
        """Signals, leases and workers' status; nothing in it outlives the processes."""
        return self.home / "run"

    @property
    def loading(self) -> Path:
        """Marks of what is being loaded, and what is held against images that killed a process."""
        return self.run / "loading"

    @property
    def exports(self) -> Path:
        """Data files that uninstall wrote."""
        return self.home / "exports"

    @property
    def backups(self) -> Path:
        """Plugins' rows as they were before an operation changed them, and when somebody asked for it."""
        return self.home / "backups"

    @property
    def data(self) -> Path:
        """The plugins' own folders."""
        return self.home / "data"

    @property
    def documents(self) -> Path:
        """Plugins' OpenAPI documents by content hash; a cache."""
        return self.home / "cache" / "openapi"

    @property
    def assets(self) -> Path:
        """Plugins' compiled frontends by content hash."""
        return self.home / "assets"

    @property
    def logs(self) -> Path:
        """One log file a plugin."""
        return self.home / "logs"


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Read `config` (default: `$HOTBAY_CONFIG`, else `hotbay.toml` here if there is one), the environment, `overrides`.

    Raises InvalidConfig naming every wrong setting. Relative paths in the file are relative to the file.
    """
    path = config or (Path(os.environ["HOTBAY_CONFIG"]) if os.environ.get("HOTBAY_CONFIG") else None)
    named = path is not None
    path = path or Path(CONFIG_NAME)
    if named and not path.is_file():
        raise InvalidConfig(f"there is no {path}", mend="create it with `hotbay init`, or name another file")
    values = _read(path) if path.is_file() else {}
    _toml.clear()
    _toml.update(values)
    try:
        return _absolute(Settings(**overrides))
    except ValidationError as error:
        raise InvalidConfig("Hotbay is configured wrongly", problems=_problems(error, path)) from None
    finally:
        _toml.clear()


def _read(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidConfig(f"{path} is not readable TOML: {error}", mend="correct the file") from None
    data = data.get("hotbay", data)
    base = path.resolve().parent
    for name in _PATHS:
        if isinstance(data.get(name), str):
            data[name] = str(base / data[name])
    url = data.get("database_url")
    if isinstance(url, str) and url.startswith(_SQLITE) and url not in (_SQLITE, _MEMORY):
        data["database_url"] = _SQLITE + str(base / url.removeprefix(_SQLITE))
    aliases = {"plugin_source": "PLUGIN_SOURCE", "plugin_server_url": "PLUGIN_SERVER_URL"}
    return {aliases.get(name, name): value for name, value in data.items()}


def _list(text: str) -> Any:
    """A list as the environment says it: JSON, or with commas between."""
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",")]
    try:
        return json.loads(text)
    except ValueError:
        return None


def _absolute(settings: Settings) -> Settings:
    """Fix all paths now: a worker may change its folder later."""
    changes: dict[str, Any] = {"home": settings.home.absolute(), "database_url": ""}
    changes["database_url"] = _SQLITE + str(settings.database_path.absolute())
    for name in ("local_packages", "app_dir"):
        value = getattr(settings, name)
        if value is not None:
            changes[name] = value.absolute()
    return settings.model_copy(update=changes)


def _problems(error: ValidationError, path: Path) -> tuple[Problem, ...]:
    found = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"]) or "settings"
        env = field if field.startswith("PLUGIN_") else f"HOTBAY_{field.upper()}"
        where = f"environment {env}" if env in os.environ else str(path)
        value = "" if item["type"] in ("value_error", "missing") and not item["loc"] else repr(item.get("input"))
        value = "" if field in _SECRET else value
        found.append(Problem(field=field, rule=item["msg"].removeprefix("Value error, "), value=value, file=where))
    return tuple(found)
