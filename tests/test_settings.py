"""Settings: the file, the environment over it, arguments over both; wrong ones are named all at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotbay.errors import InvalidConfig
from hotbay.settings import load


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but the test's."""
    for name in list(os.environ):
        if name.startswith(("HOTBAY_", "PLUGIN_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    settings = load()
    assert settings.home == tmp_path / "var"
    assert settings.database_path == tmp_path / "var" / "hotbay.db"
    assert (settings.plugin_source, settings.api_prefix, settings.keep_versions) == ("local", "/api/v1", 3)
    places = [settings.packages, settings.plugins, settings.images, settings.staging, settings.run]
    places += [settings.exports, settings.data, settings.logs]
    assert all(place.parent == settings.home for place in places)
    assert len(set(places)) == len(places)


def test_paths_in_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    text = 'home = "var"\ndatabase_url = "sqlite:///data/shop.db"\nlocal_packages = "/srv/packages"\napp_dir = "app"\n'
    settings = load(write(tmp_path / "host" / "hotbay.toml", text))
    assert settings.home == tmp_path / "host" / "var"
    assert settings.database_path == tmp_path / "host" / "data" / "shop.db"
    assert settings.packages == Path("/srv/packages")
    assert settings.app_dir == tmp_path / "host" / "app"


def test_the_file_in_this_folder_is_found_and_may_have_a_section(tmp_path: Path) -> None:
    write(tmp_path / "hotbay.toml", "[hotbay]\nkeep_versions = 5\n[other]\nx = 1\n")
    assert load().keep_versions == 5


def test_arguments_beat_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "hotbay.toml", "keep_versions = 5\ndrain_seconds = 5\nack_seconds = 5\n")
    monkeypatch.setenv("HOTBAY_DRAIN_SECONDS", "6")
    monkeypatch.setenv("HOTBAY_ACK_SECONDS", "6")
    settings = load(ack_seconds=7)
    assert (settings.keep_versions, settings.drain_seconds, settings.ack_seconds) == (5, 6, 7)


def test_a_file_of_one_load_is_forgotten_by_the_next(tmp_path: Path) -> None:
    other = write(tmp_path / "other.toml", "keep_versions = 9\n")
    assert load(other).keep_versions == 9
    assert load().keep_versions == 3


def test_the_source_has_the_seeds_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_SOURCE", "remote")
    monkeypatch.setenv("PLUGIN_SERVER_URL", "http://127.0.0.1:9000")
    assert (load().plugin_source, load().plugin_server_url) == ("remote", "http://127.0.0.1:9000")


def test_the_source_may_stand_in_the_file_too(tmp_path: Path) -> None:
    file = write(tmp_path / "hotbay.toml", 'plugin_source = "remote"\nplugin_server_url = "http://127.0.0.1:9000"\n')
    assert load(file).plugin_server_url == "http://127.0.0.1:9000"


def test_hotbay_config_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTBAY_CONFIG", str(write(tmp_path / "x.toml", "keep_versions = 8\n")))
    assert load().keep_versions == 8


def test_a_named_file_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidConfig, match="there is no"):
        load(tmp_path / "none.toml")
    monkeypatch.setenv("HOTBAY_CONFIG", "gone.toml")
    with pytest.raises(InvalidConfig, match=r"gone\.toml"):
        load()


def test_every_wrong_setting_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "hotbay.toml", 'api_prefix = "api/"\nkeep_versions = 0\nknown = "no"\n')
    monkeypatch.setenv("HOTBAY_ACK_SECONDS", "soon")
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    problems = {problem.field: problem for problem in caught.value.problems}
    assert set(problems) == {"api_prefix", "keep_versions", "known", "ack_seconds"}
    assert problems["ack_seconds"].file == "environment HOTBAY_ACK_SECONDS"
    assert problems["api_prefix"].file == str(file)
    assert "must start with '/'" in problems["api_prefix"].rule


@pytest.mark.parametrize(
    "text",
    [
        'database_url = "postgresql://x/y"',
        'database_url = "sqlite://"',
        'database_url = "sqlite:///"',
        'database_url = "sqlite:///:memory:"',
        'plugin_source = "remote"',
        'plugin_source = "elsewhere"',
        'api_prefix = "/api//v1"',
        "hold_seconds = 0",
        "watch_seconds = 0.01",
        "home = ",
        'home = "\x00',
    ],
)
def test_what_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidConfig):
        load(write(tmp_path / "hotbay.toml", text + "\n"))


def test_settings_do_not_change_afterwards_and_a_worker_may_change_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(home=Path("here"))
    monkeypatch.chdir("/")
    assert settings.home == tmp_path / "here"
    with pytest.raises(ValueError, match="frozen"):
        settings.home = Path("/")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stall_seconds", "0.001"),
        ("stall_seconds", "-1"),
        ("metrics_token", "short"),
        ("error_policy", "punish"),
        ("error_policies", '{"shop": "punish"}'),
        ("error_budget", "1.0"),
        ("error_window", "1"),
        ("error_requests", "0"),
        ("confirm_margin", "1"),
        ("confirm_checks", "0"),
        ("confirm_check_seconds", "0"),
        ("safe_mode", "perhaps"),
    ],
)
def test_wrong_values_of_the_watchers_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HOTBAY_{name.upper()}", value)
    with pytest.raises(InvalidConfig) as caught:
        load()
    assert name in str(caught.value)
    if name == "metrics_token":
        assert value not in str(caught.value)


def test_values_of_the_watchers_may_come_from_file_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "hotbay.toml", 'error_policy = "rollback"\n[error_policies]\nshop = "none"\n')
    monkeypatch.setenv("HOTBAY_SAFE_MODE", "1")
    monkeypatch.setenv("HOTBAY_METRICS_TOKEN", "0123456789abcdef")
    settings = load()
    assert (settings.error_policy, settings.error_policies, settings.safe_mode) == ("rollback", {"shop": "none"}, True)
    assert settings.metrics_token.get_secret_value() == "0123456789abcdef"
    assert "0123456789" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("none", "none"),
        ("all", "all"),
        ("unverified", "unverified"),
        ("shop", ("shop",)),
        ("shop, ai_chatbot", ("shop", "ai_chatbot")),
        ('["shop"]', ("shop",)),
        ("[]", ()),
    ],
)
def test_which_frontends_are_framed_may_come_from_the_environment(
    text: str, wanted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTBAY_FRONTEND_FRAMES", text)
    settings = load()
    assert settings.frontend_frames == wanted
    whoever = wanted == "all" or "shop" in wanted  # type: ignore[operator]
    assert settings.framed("shop", verified=True) is whoever
    assert settings.framed("shop", verified=False) is (whoever or wanted == "unverified")


def test_which_frontends_are_framed_may_come_from_the_file(tmp_path: Path) -> None:
    assert not load().framed("shop", verified=False)
    settings = load(write(tmp_path / "hotbay.toml", 'frontend_frames = ["shop"]\n'))
    assert settings.framed("shop", verified=True)
    assert not settings.framed("other", verified=False)


@pytest.mark.parametrize("text", ['"Some"', '["Shop"]', "[1]", "true", '["a", ""]', '"shop,"', '"[oops"'])
def test_who_is_framed_wrongly_is_told_how_to_say_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(write(tmp_path / "hotbay.toml", f"frontend_frames = {text}\n"))
    (problem,) = caught.value.problems
    assert problem.field == "frontend_frames"
    assert 'must be "none", "unverified", "all", or the ids' in problem.rule
