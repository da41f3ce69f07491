"""Keys, signatures and trusted publishers on the command line; private keys are in no output."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from terminal import Terminal, repository

from hotbay.signature import read_envelope, sidecar


@pytest.fixture
def ada(terminal: Terminal) -> str:
    """The public key of Ada, whose private one is in `ada.key`."""
    return str(terminal.json("keygen", "ada.key", "--publisher", "Ada")["key"])


def test_keygen_makes_a_key_and_tells_the_public_half(terminal: Terminal, ada: str) -> None:
    file = terminal.folder / "ada.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (terminal.folder / "ada.key.pub").read_text() == ada + "\n"
    before = file.read_bytes()
    assert "never overwritten" in terminal.run("keygen", "ada.key", "--publisher", "Eve", code=5).stderr
    assert file.read_bytes() == before
    told = terminal.run("keygen", "eve.key", "--publisher", "Eve").stdout
    assert "ed25519:" in told and "PRIVATE" not in told
    terminal.run("keygen", "other.key", code=2)
    assert terminal.json("keygen", "other.key", "--publisher", "a\nb", code=2)["code"] == "bad-input"


def test_pack_signs_and_check_says_that_it_fits(terminal: Terminal, ada: str) -> None:
    made = terminal.json("pack", str(terminal.plugin()), "-o", "out", "--sign", "ada.key")
    signature = made["signature"]
    assert (signature["publisher"], signature["key"]) == ("Ada", ada)
    assert signature["path"] == made["path"] + ".sig.json"
    found = read_envelope(Path(signature["path"]).read_bytes())
    assert (found.statement.sha256, found.statement.size) == (made["sha256"], made["size"])
    report = terminal.json("check", made["path"])
    assert report["signature"] == {"publisher": "Ada", "keyids": [signature["keyid"]]}
    assert "signature: it fits; in the name of Ada, key " in terminal.run("check", made["path"]).stdout
    again = terminal.run("pack", str(terminal.plugin()), "-o", "out", "--sign", "ada.key").stdout
    assert f"signed by Ada (key {signature['keyid']})" in again


def test_a_wrong_key_file_packs_nothing(terminal: Terminal, ada: str) -> None:
    folder = str(terminal.plugin())
    assert (
        "is no key of a publisher" in terminal.run("pack", folder, "-o", "out", "--sign", "ada.key.pub", code=2).stderr
    )
    assert terminal.json("pack", folder, "-o", "out", "--sign", "none.key", code=4)["code"] == "not-found"
    assert not (terminal.folder / "out").exists()


def test_sign_is_repeatable_and_check_finds_what_does_not_fit(terminal: Terminal, ada: str) -> None:
    archive = terminal.offer()
    assert terminal.json("check", str(archive))["signature"] is None
    first = terminal.json("sign", str(archive), "--key", "ada.key")
    content = sidecar(archive).read_bytes()
    assert terminal.json("sign", str(archive), "--key", "ada.key") == first
    assert sidecar(archive).read_bytes() == content
    terminal.plugin().joinpath("README.md").write_text("# changed\n")
    note = terminal.run("pack", str(terminal.plugin()), "-o", str(terminal.modules)).stderr
    assert note == ""  # `plugin` wrote the README anew: the same bytes.
    folder = terminal.plugin()
    folder.joinpath("README.md").write_text("# changed\n")
    assert "is not of these bytes" in terminal.run("pack", str(folder), "-o", str(terminal.modules)).stderr
    report = terminal.json("check", str(archive), code=3)
    assert [(one["field"], one["rule"]) for one in report["errors"]] == [
        ("(signature)", "is of another package than this one")
    ]
    sidecar(archive).write_text("{}")
    report = terminal.json("check", str(archive), code=3)
    assert (report["errors"][0]["field"], report["errors"][0]["file"]) == ("payloadType", archive.name + ".sig.json")
    terminal.run("sign", str(archive), "--key", "ada.key")
    assert terminal.json("check", str(archive))["ok"]


def test_publishers_are_trusted_listed_and_distrusted(terminal: Terminal, ada: str) -> None:
    assert "No publisher is trusted" in terminal.run("publishers").stdout
    assert terminal.json("publishers") == {"publishers": [], "required": False}
    done = terminal.json("publishers", "trust", "Ada", "ada.key.pub")
    keyid = done["changed"]["keyid"]
    assert terminal.json("publishers", "trust", "Ada", ada)["publishers"] == done["publishers"]
    assert terminal.run("publishers", "list").stdout.splitlines()[1].split()[:2] == ["Ada", keyid[:16]]
    assert terminal.json("publishers", "trust", "Eve", ada, code=5)["code"] == "refused"
    (entry,) = terminal.json("audit").popitem()[1]
    assert (entry["action"], entry["result"]) == ("publisher", "trusted")
    gone = terminal.run("publishers", "distrust", keyid[:12])
    assert gone.stdout == f"not trusted any more: Ada, key {keyid}\n"
    assert terminal.json("publishers", "distrust", keyid, code=4)["code"] == "not-found"


@pytest.mark.parametrize(
    "words", [("trust",), ("trust", "Ada"), ("distrust",), ("distrust", "a", "b"), ("list", "Ada"), ("other",)]
)
def test_what_makes_no_sense_is_refused(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.run("publishers", *words, code=2)


def test_a_private_key_is_not_taken_for_a_public_one_and_not_told(terminal: Terminal, ada: str) -> None:
    done = terminal.run("publishers", "trust", "Ada", "ada.key", code=2)
    secret = (terminal.folder / "ada.key").read_text().splitlines()[2]
    assert "is a private key" in done.stderr and secret not in done.stderr + done.stdout
    archive = terminal.offer()
    outputs = [terminal.run("sign", str(archive), "--key", "ada.key", *more) for more in ((), ("--json",))]
    outputs += [terminal.run("pack", str(terminal.plugin()), "--sign", "ada.key"), terminal.run("check", str(archive))]
    terminal.run("publishers", "trust", "Ada", "ada.key.pub")
    terminal.run("install", "shop")
    assert all(secret not in one.stdout + one.stderr for one in outputs)
    told = terminal.run("audit", "--json").stdout + terminal.run("operation", "1", "--json").stdout
    assert secret not in told


def test_lists_and_plans_say_who_made_it(terminal: Terminal, ada: str) -> None:
    archive = terminal.offer()
    terminal.run("sign", str(archive), "--key", "ada.key")
    (offer,) = terminal.json("list", "--available")["available"]
    assert (offer["trust"]["state"], offer["trust"]["publisher"]) == ("unknown", "Ada")
    assert "by an unknown key, as Ada" in terminal.run("info", "shop").stdout
    terminal.run("publishers", "trust", "Ada", "ada.key.pub")
    assert terminal.run("list").stdout.splitlines()[-1].endswith("Ada (verified)")
    keyid = terminal.json("publishers")["publishers"][0]["keyid"]
    plan = terminal.run("plan", "install", "shop").stdout
    assert f"  signature: verified, by Ada (key {keyid[:16]})" in plan and "not signed" not in plan
    terminal.run("install", "shop")
    info = terminal.json("info", "shop")
    assert info["installed"]["trust"] == {"state": "verified", "publisher": "Ada", "keyid": keyid}
    assert f"by Ada, verified (key {keyid[:16]})" in terminal.run("info", "shop").stdout
    terminal.run("publishers", "distrust", keyid)
    assert terminal.json("list", "--installed")["installed"][0]["trust"]["state"] == "unknown"


def test_a_forged_signature_is_told_in_the_list_and_not_installed(terminal: Terminal, ada: str) -> None:
    one, other = terminal.offer(version="1.0.0"), terminal.offer(version="1.1.0")
    terminal.run("publishers", "trust", "Ada", ada)
    terminal.run("sign", str(one), "--key", "ada.key")
    sidecar(other).write_bytes(sidecar(one).read_bytes())
    done = terminal.run("list", "--available")
    assert "the signature is not that of shop 1.1.0" in done.stderr
    states = [row["trust"]["state"] for row in terminal.json("list", "--available")["available"]]
    assert states == ["invalid", "verified"]
    assert terminal.json("install", "shop", code=6)["code"] == "not-verified"
    terminal.run("install", "shop", "--version", "1.0.0")


def test_an_upgrade_from_another_publisher_wants_a_word(terminal: Terminal, ada: str) -> None:
    terminal.run("publishers", "trust", "Ada", ada)
    terminal.run("sign", str(terminal.offer()), "--key", "ada.key")
    terminal.run("install", "shop")
    terminal.offer(version="1.1.0")
    assert "shop is from Ada; 1.1.0 is not signed by them" in terminal.run("plan", "upgrade", "shop").stdout
    refused = terminal.json("upgrade", "shop", code=5)
    assert (refused["code"], refused["publisher"]) == ("other-publisher", "Ada")
    terminal.run("upgrade", "shop", "--accept-publisher")
    assert terminal.state() == {"shop": ("1.1.0", "active")}


def test_a_repository_hands_signatures_on_in_its_index(
    terminal: Terminal, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: what Ada packed and signed is verified on a host that trusts her, and on no way there changed."""
    terminal.config.write_text(terminal.config.read_text() + "require_signature = true\n")
    terminal.run("publishers", "trust", "Ada", ada)
    made = terminal.json("pack", str(terminal.plugin()), "-o", "out", "--sign", "ada.key")
    site = terminal.folder / "site"
    place = site / "download" / "shop" / "1.0.0"
    place.parent.mkdir(parents=True)
    Path(made["path"]).rename(place)
    entry = {"id": "shop", "version": "1.0.0", "name": "Shop"}
    index = site / "manifest.json"
    with repository(site) as address:
        monkeypatch.setenv("PLUGIN_SERVER_URL", address)
        index.write_text(json.dumps({"plugins": [entry]}))
        assert "is not signed" in terminal.run("install", "shop", "--remote", code=6).stderr
        entry["signature"] = json.loads(Path(made["signature"]["path"]).read_text())
        index.write_text(json.dumps({"plugins": [entry]}))
        honest = place.read_bytes()
        place.write_bytes(honest + b"x")
        assert "the signature is not that of shop 1.0.0" in terminal.run("install", "shop", "--remote", code=6).stderr
        assert terminal.state() == {}
        place.write_bytes(honest)
        terminal.run("install", "shop", "--remote")
    trust = terminal.json("info", "shop")["installed"]["trust"]
    assert trust == {"state": "verified", "publisher": "Ada", "keyid": made["signature"]["keyid"]}


def test_where_signatures_are_required(terminal: Terminal, ada: str) -> None:
    terminal.config.write_text(terminal.config.read_text() + "require_signature = true\n")
    archive = terminal.offer()
    assert terminal.json("install", "shop", code=6)["code"] == "not-verified"
    assert terminal.json("install", str(terminal.plugin("mail")), code=6)["code"] == "not-verified"
    terminal.run("sign", str(archive), "--key", "ada.key")
    assert "does not trust" in terminal.run("install", "shop", code=6).stderr
    terminal.run("publishers", "trust", "Ada", ada)
    assert "require_signature" in terminal.run("publishers").stdout
    moved = archive.rename(terminal.folder / "upload.zip")
    sidecar(archive).rename(sidecar(moved))
    terminal.run("install", str(moved))
    assert json.loads(terminal.run("publishers", "--json").stdout)["required"] is True
