"""What `hotbay` and `hotbay_sdk` export, and what importing them costs."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import hotbay
import hotbay_sdk

FRAMEWORKS = ("fastapi", "starlette", "django", "click", "rich", "uvicorn", "httpx", "typer")


def imported_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}; import sys; print(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", [hotbay, hotbay_sdk])
def test_all_is_sorted_and_true(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(package, name) is not None


def test_hotbay_is_the_class_of_the_edge() -> None:
    from hotbay.asgi import Hotbay

    assert hotbay.Hotbay is Hotbay


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Hotbey"):
        _ = hotbay.Hotbey


def test_the_version_is_the_distributions() -> None:
    assert importlib.import_module("importlib.metadata").version("hotbay") == hotbay.__version__


def test_importing_hotbay_imports_no_framework() -> None:
    assert imported_by("import hotbay; hotbay.__version__") & {*FRAMEWORKS, "sqlalchemy", "pydantic"} == set()


def test_importing_the_engine_imports_no_framework() -> None:
    found = imported_by("import hotbay.apply, hotbay.follow, hotbay.serve, hotbay.steps, hotbay.activate.inprocess")
    assert found & set(FRAMEWORKS) == set()


def test_importing_the_class_imports_the_edge() -> None:
    assert "fastapi" in imported_by("from hotbay import Hotbay")


def test_importing_the_sdk_imports_the_standard_library_only() -> None:
    before = imported_by("pass")
    extra = imported_by("import hotbay_sdk") - before - {"hotbay_sdk"}
    assert extra - sys.stdlib_module_names == set()


@pytest.mark.parametrize("package", [hotbay, hotbay_sdk])
def test_every_module_says_what_it_is_for(package: object) -> None:
    path, name = package.__path__, package.__name__  # type: ignore[attr-defined]
    for found in pkgutil.walk_packages(path, name + "."):
        if not found.name.endswith("__main__"):
            assert importlib.import_module(found.name).__doc__, found.name
