"""How a worker makes a generation: only what may be loaded is, whole or not at all, and what it leaves is known."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine import Engine
from hotbay.activate import Generation, Limits
from hotbay.activate.inprocess import InProcess
from hotbay.errors import ActivationFailed, Conflict, LeftOut, Problem, SafeMode
from hotbay.frameworks import FrameworkHost
from hotbay.making import Maker
from hotbay.model import Kind, Live
from hotbay.offline import context_maker
from hotbay.suspects import LIMIT, Suspects
from plugs import LonelyHub, client, hello, until

# They work when they are installed, and not any more when the file is there.
SICK = """
from pathlib import Path

def health():
    if Path({file!r}).exists():
        raise RuntimeError("sick")
"""
BROKEN = """
from pathlib import Path

if Path({file!r}).exists():
    1 / 0
"""
# Each life of the plugin leaves a line: it started, it stopped.
LIVES = """
def start(context):
    with open({file!r}, "a") as file:
        file.write("start\\n")

def stop():
    with open({file!r}, "a") as file:
        file.write("stop\\n")
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def maker(engine: Engine, taken: dict[str, str] | None = None, **changes: Any) -> Maker:
    """A maker with a real runtime; `taken` are paths that somebody else answers."""
    host, settings = engine.host, engine.host.settings.model_copy(update=changes)

    def found(plugin: str, paths: list[str]) -> list[Problem]:
        return [Problem("routes", f"is {who}'s", path) for path, who in (taken or {}).items() if path in paths]

    made = Maker(settings, host.images, Suspects(settings.loading), found)
    make = context_maker(settings, host.store, host.vault, LonelyHub())  # type: ignore[arg-type]
    made.runtime = InProcess(FrameworkHost(None), make, settings.api_prefix, Limits(5, 5))
    return made


async def asked(generation: Generation) -> httpx.Response:
    """What its route answers. Whoever held the client would hold the generation."""
    async with client(generation.app) as http:
        return await http.get("/api/v1/shop/version")


def fault(engine: Engine, text: str) -> str:
    """SICK or BROKEN, once `fall_ill`."""
    return text.format(file=str(engine.folder / "ill"))


def fall_ill(engine: Engine) -> None:
    (engine.folder / "ill").touch()


async def row_of(engine: Engine, files: Any = None, **manifest: Any) -> Live:
    """A version that is installed and rests."""
    await engine.run(Kind.INSTALL, file=engine.archive(files=files, **manifest), inactive=True)
    return engine.host.store.get_live("shop")


async def test_it_is_loaded_started_and_answers(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "lives"
    files = {"routes.py": hello(), "plugin.py": LIVES.format(file=str(file))}
    row, made = await row_of(engine, files), maker(engine)
    file.write_text("")
    generation = await made.make(row)
    assert (await asked(generation)).json() == {"version": "1.0.0"}
    assert file.read_text() == "start\n"
    assert made.loads["shop"].count == 1
    assert list(engine.host.settings.loading.glob("*.mark")) == [], "no mark is left: nobody is under suspicion"
    proof = await made.discard(generation)
    assert file.read_text() == "start\nstop\n"
    assert proof.clean and made.proofs["shop"] is proof


@pytest.mark.parametrize("asked", ["start", "health"])
async def test_what_a_plugin_computes_before_it_serves_gives_way_to_the_loop(
    engine: Engine, tmp_path: Path, asked: str
) -> None:
    file, usual = tmp_path / "interval", sys.getswitchinterval()
    said = f"Path({str(file)!r}).write_text(str(sys.getswitchinterval()))"
    text = f"import sys\nfrom pathlib import Path\n\ndef {asked}():\n    {said}\n"
    row, made = await row_of(engine, {"routes.py": hello(), "plugin.py": text}), maker(engine)
    file.unlink()
    generation = await made.make(row)
    assert float(file.read_text()) < usual / 10
    assert sys.getswitchinterval() == pytest.approx(usual)
    await made.discard(generation)
    assert sys.getswitchinterval() == pytest.approx(usual)


async def test_each_load_is_counted(engine: Engine) -> None:
    row, made = await row_of(engine), maker(engine)
    for _ in range(2):
        await made.discard(await made.make(row))
    assert made.loads["shop"].count == 2


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("plugin.py", SICK, "sick"),
        ("routes.py", BROKEN + hello().replace("{", "{{").replace("}", "}}"), "ZeroDivisionError"),
    ],
)
async def test_what_does_not_work_is_taken_apart_again(engine: Engine, name: str, text: str, words: str) -> None:
    row, made = (
        await row_of(
            engine,
            {
                "routes.py": hello(),
                name: fault(engine, text),
                "__init__.py": "from . import services\n" if name == "services.py" else "",
            },
        ),
        maker(engine),
    )
    fall_ill(engine)
    with pytest.raises(ActivationFailed, match=words):
        await made.make(row)
    assert made.proofs["shop"].clean
    assert made.loads == {}


async def test_one_that_failed_had_its_stop(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "lives"
    row = await row_of(engine, {"routes.py": hello(), "plugin.py": LIVES.format(file=str(file)) + fault(engine, SICK)})
    fall_ill(engine)
    file.write_text("")
    with pytest.raises(ActivationFailed):
        await maker(engine).make(row)
    assert file.read_text() == "start\nstop\n"


async def test_what_it_answers_must_be_its_own(engine: Engine) -> None:
    row = await row_of(engine)
    with pytest.raises(Conflict, match="what is taken") as caught:
        await maker(engine, {"/api/v1/shop/version": "the host"}).make(row)
    assert [problem.value for problem in caught.value.problems] == ["/api/v1/shop/version"]
    assert caught.value.step == "start"
    await maker(engine, {"/elsewhere": "the host"}).make(row)


async def test_a_claim_binds(engine: Engine) -> None:
    row, made = await row_of(engine, backend={"routes": ["/api/v1/other/*"]}), maker(engine)
    with pytest.raises(Conflict, match=r"/api/v1/shop/version, which its manifest does not claim"):
        await made.make(row)
    assert made.proofs["shop"].clean


async def test_safe_mode_loads_nothing(engine: Engine) -> None:
    row = await row_of(engine)
    with pytest.raises(SafeMode):
        await maker(engine, safe_mode=True).make(row)


async def test_what_struck_out_is_loaded_for_an_operation_only(engine: Engine) -> None:
    row, made = await row_of(engine), maker(engine)
    for _ in range(LIMIT):
        with pytest.raises(ActivationFailed), made.suspects.loading("shop", "1.0.0", row.image):
            raise ActivationFailed("it hangs", hung=True)
    with pytest.raises(LeftOut, match="left out"):
        await made.make(row)
    assert "shop" not in made.loads
    await made.make(row, operation=7)
    assert made.suspects.of(row.image) is None, "a good start clears it"


async def test_a_suspect_is_loaded_while_nothing_else_is(engine: Engine) -> None:
    """While it starts, another does not even begin: its mark would be there."""
    slow = "import asyncio\nfrom pathlib import Path\nasync def start(context):\n"
    slow += f"    while not Path({str(engine.folder / 'go')!r}).exists():\n        await asyncio.sleep(0.005)\n"
    (engine.folder / "go").touch()
    row, made = await row_of(engine, {"routes.py": hello(), "plugin.py": slow}), maker(engine)
    await engine.install("mail", files={"routes.py": hello("mail")})
    with pytest.raises(ActivationFailed), made.suspects.loading("shop", "1.0.0", row.image):
        raise ActivationFailed("it hangs", hung=True)
    (engine.folder / "go").unlink()
    marks = engine.host.settings.loading
    first = asyncio.create_task(made.make(row))
    await until(lambda: list(marks.glob("*.mark")))
    other = asyncio.create_task(made.make(engine.host.store.get_live("mail")))
    await asyncio.sleep(0.2)
    assert [json.loads(path.read_text())["plugin"] for path in marks.glob("*.mark")] == ["shop"]
    (engine.folder / "go").touch()
    await asyncio.gather(first, other)


async def test_an_image_that_is_gone_comes_back_from_the_folder(engine: Engine) -> None:
    row, made = await row_of(engine), maker(engine)
    engine.host.images.remove(row.image)
    await made.make(row)
    assert engine.host.images.has(row.image)


async def test_without_a_runtime_it_says_so(engine: Engine) -> None:
    row, made = await row_of(engine), maker(engine)
    made.runtime = None
    with pytest.raises(ActivationFailed, match="no runtime"):
        await made.make(row)


async def test_times_are_told_where_the_settings_want_it(engine: Engine) -> None:
    row = await row_of(engine)
    for wanted in (True, False):
        generation = await maker(engine, server_timing=wanted).make(row)
        assert ("server-timing" in (await asked(generation)).headers) is wanted
