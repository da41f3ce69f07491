"""What a compiled module imports, read without a compiler; hashes."""

from __future__ import annotations

import base64
import hashlib

import pytest

from hotbay.frontend.bundle import FILE, Bundle, digest_of, imports_of, integrity


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('import"./c.js";import t,{useState as i}from"react";x;', [("./c.js", ()), ("react", ("default", "useState"))]),
        ('import{a,b as c}from"@hotbay/ui";import*as d from"react";', [("@hotbay/ui", ("a", "b")), ("react", ())]),
        ('import e from"react";import{"a-b" as f}from"x";', [("react", ("default",)), ("x", ("a-b",))]),
        ('/* who made it */ import {\n  a\n} from "react";\n', [("react", ("a",))]),
        ('var a=1;import("./late.js")', []),
        ('const s=`import{evil}from"react"`;', []),
        ("", []),
    ],
)
def test_imports_at_the_beginning(script: str, found: object) -> None:
    assert imports_of(script) == found


def test_hashes() -> None:
    assert integrity(b"x") == "sha384-" + base64.b64encode(hashlib.sha384(b"x").digest()).decode()
    assert digest_of({"a": b"1", "b": b"2"}) == digest_of({"b": b"2", "a": b"1"})
    assert len({digest_of({"a": b"1"}), digest_of({"b": b"1"}), digest_of({"a": b"2"})}) == 3


@pytest.mark.parametrize(
    "name", ["../a-ABCDEFGH.js", "a-ABCDEFGH.html", "a.js", "a-abcdefgh.js", ".a", "a/b-ABCDEFGH.js", ""]
)
def test_names_that_no_compiled_file_has(name: str) -> None:
    assert not FILE.fullmatch(name)


def test_json_and_back() -> None:
    bundle = Bundle("0" * 16, {"a-ABCDEFGH.js": "sha384-x"}, (), {"pages": []}, "s")
    assert Bundle.from_json(bundle.to_json()) == bundle
