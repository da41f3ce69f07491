"""What authors do: keys that are never overwritten nor told, and signatures beside archives."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from hotbay.errors import BadInput, HotbayError, NotFound, Refused
from hotbay.keys import fresh_private, parse_public
from hotbay.package import pack
from hotbay.seal import SigningKey, fitting, load_key, make_key, sign_archive
from hotbay.signature import LARGEST, read_envelope, sidecar
from rows import plugin_folder
from signing import envelope, payload, publisher, put


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A package."""
    return pack(plugin_folder(tmp_path / "trees" / "shop"), tmp_path / "out")


def signers(archive: Path) -> list[str]:
    return list(read_envelope(sidecar(archive).read_bytes()).keyids)


def test_a_key_is_made_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "ada.key"
    made = make_key(file, "Ada & Söhne")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in file.parent.iterdir()) == ["ada.key", "ada.key.pub"]
    read = load_key(file)
    assert (read.publisher, read.public.keyid) == ("Ada & Söhne", made.public.keyid)
    text = (file.parent / "ada.key.pub").read_text()
    assert text == made.public.text + "\n"
    assert parse_public(text)


def test_other_programs_read_it(tmp_path: Path) -> None:
    make_key(tmp_path / "ada.key", "Ada")
    command = ["openssl", "pkey", "-in", str(tmp_path / "ada.key"), "-noout", "-text"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert told.startswith("ED25519 Private-Key")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    file, public = tmp_path / "ada.key", tmp_path / "ada.key.pub"
    public.write_text("another one's")
    with pytest.raises(Refused, match=r"ada\.key\.pub is there already"):
        make_key(file, "Ada")
    assert not file.exists()
    public.unlink()
    make_key(file, "Ada")
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(Refused, match="never overwritten"):
            make_key(file, "Eve")
        public.unlink(missing_ok=True)
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")
    with pytest.raises(Refused):
        make_key(file, "Eve")
    assert before and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["", " Ada", "A\nda", "x" * 121])
def test_names_that_are_none_make_no_key(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="can't be a publisher's name"):
        make_key(tmp_path / "ada.key", name)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_keys_are_refused_and_not_told(tmp_path: Path) -> None:
    make_key(tmp_path / "ada.key", "Ada")
    pem = fresh_private()
    bodies = [b"", b"secret words", pem, b"Publisher: \n" + pem, b"Publisher: \xff\n" + pem, b"Publisher: Ada\nsecret"]
    bodies.append((tmp_path / "ada.key.pub").read_bytes())
    for body in bodies:
        (tmp_path / "bad").write_bytes(body)
        with pytest.raises(BadInput, match="is no key of a publisher") as caught:
            load_key(tmp_path / "bad")
        assert "secret" not in str(caught.value) and "PRIVATE" not in str(caught.value)
    with pytest.raises(NotFound):
        load_key(tmp_path / "none")


def test_signing_can_be_repeated(archive: Path) -> None:
    ada = publisher()
    file = sign_archive(archive, ada)
    assert file == sidecar(archive)
    first = file.read_bytes()
    found = read_envelope(first)
    assert found.signed_by(ada.public)
    assert (found.statement.id, found.statement.version, found.statement.publisher) == ("shop", "1.0.0", "Ada")
    assert sign_archive(archive, ada).read_bytes() == first
    assert sorted(path.name for path in archive.parent.iterdir()) == [archive.name, file.name]


def test_a_new_key_of_the_same_publisher_signs_beside_the_old_one(archive: Path) -> None:
    old, new = publisher(), publisher()
    sign_archive(archive, old)
    sign_archive(archive, new)
    assert signers(archive) == [old.public.keyid, new.public.keyid]
    sign_archive(archive, old)
    assert set(signers(archive)) == {old.public.keyid, new.public.keyid}


def test_another_publishers_signature_is_not_replaced(archive: Path) -> None:
    sign_archive(archive, publisher("Ada"))
    before = sidecar(archive).read_bytes()
    with pytest.raises(Refused, match="signed by Ada already"):
        sign_archive(archive, publisher("Eve"))
    assert sidecar(archive).read_bytes() == before


def test_what_does_not_fit_is_replaced(archive: Path) -> None:
    ada = publisher()
    for content in (b"garbage", envelope(payload(archive, "Eve", version="0.9.0"), publisher("Eve"))):
        put(archive, content)
        assert fitting(archive) is None
        sign_archive(archive, ada)
        assert signers(archive) == [ada.public.keyid]


def test_no_more_signatures_than_a_host_would_read(archive: Path) -> None:
    for _ in range(16):
        sign_archive(archive, publisher())
    assert len(sidecar(archive).read_bytes()) < LARGEST
    with pytest.raises(HotbayError):
        sign_archive(archive, publisher())
    assert len(signers(archive)) == 16


def test_only_packages_are_signed(tmp_path: Path) -> None:
    folder = plugin_folder(tmp_path / "shop")
    with pytest.raises(BadInput, match="is a folder"):
        sign_archive(folder, publisher())
    (tmp_path / "x.zip").write_bytes(b"none")
    for file, kind in ((tmp_path / "x.zip", HotbayError), (tmp_path / "none.zip", NotFound)):
        with pytest.raises(kind):
            sign_archive(file, publisher())
    assert not list(tmp_path.glob("*.sig.json"))


def test_the_private_key_is_nowhere_in_what_is_written(archive: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "ada.key", "Ada")
    key: SigningKey = load_key(tmp_path / "ada.key")
    sign_archive(archive, key)
    secret = (tmp_path / "ada.key").read_text().splitlines()[2]
    assert secret not in sidecar(archive).read_text() + repr(key) + json.dumps(key.public.text)
