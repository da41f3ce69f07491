"""What esbuild says, as an author understands it."""

from __future__ import annotations

import pytest

from hotbay.frontend.esbuild import messages, module_of, refused, stub_file

EXPORTS = {"react": ("default", "useState"), "@hotbay/ui": ("Button",), "react/jsx-runtime": ("jsx",)}


def said(kind: str, text: str, place: str = "frontend/a.tsx:3:7", code: str = "") -> str:
    end = f" [{code}]" if code else ""
    return f"{'✘' if kind == 'ERROR' else '▲'} [{kind}] {text}{end}\n\n    {place}:\n      3 │ code\n        ╵ ~~~~\n\n"


def test_file_line_rule_and_mend() -> None:
    text = said("ERROR", 'Could not resolve "reakt"') + said(
        "WARNING", "Comparison with -0", code="equals-negative-zero"
    )
    (problem, serious), (_, other) = messages(text, EXPORTS)
    assert (problem.file, problem.field, serious, other) == ("frontend/a.tsx", "line 3", True, False)
    assert "did you mean 'react'?" in problem.mend


@pytest.mark.parametrize("code", ["css-syntax-error", "import-is-undefined"])
def test_warnings_of_what_can_not_work_refuse(code: str) -> None:
    ((_, serious),) = messages(said("WARNING", "Unexpected", code=code), EXPORTS)
    assert serious


def test_what_stands_in_files_outside_is_not_repeated() -> None:
    for place in ("../../etc/passwd:1:8", "/etc/passwd:1:8"):
        ((problem, _),) = messages(said("ERROR", 'Expected ";" but found "secret"', place), EXPORTS)
        assert "secret" not in str(problem)
        assert problem.rule == "an import reaches outside the package"


def test_messages_about_the_stand_ins_are_none() -> None:
    assert list(messages(said("ERROR", "x", "node_modules/react/index.js:1:1"), EXPORTS)) == []


def test_names_that_are_not_exported() -> None:
    text = said("ERROR", f'No matching export in "{stub_file("react")}" for import "useStat"')
    ((problem, _),) = messages(text, EXPORTS)
    assert (problem.rule, problem.mend) == ("react does not export 'useStat'", "did you mean useState?")
    ((problem, _),) = messages(said("ERROR", 'No matching export in "frontend/b.ts" for import "x"'), EXPORTS)
    assert problem.rule == "frontend/b.ts does not export 'x'"


def test_stand_ins_have_a_place_each() -> None:
    places = [stub_file(module) for module in EXPORTS]
    assert len(set(places)) == len(EXPORTS)
    assert [module_of(place, EXPORTS) for place in places] == list(EXPORTS)
    assert module_of("frontend/a.ts", EXPORTS) is None


def test_one_problem_is_told_in_the_first_line_several_are_counted() -> None:
    ((problem, _),) = messages(said("ERROR", 'Could not resolve "./b"'), EXPORTS)
    assert "frontend/a.tsx: line 3: there is no file './b'" in refused((problem,)).message
    assert "2 errors" in refused((problem, problem)).message
