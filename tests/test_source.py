"""Sources: local folders, an uploaded file, and a repository on a real server that misbehaves in every way."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hotbay.errors import NotFound, SourceError
from hotbay.package import pack, sha256_file
from hotbay.signature import LARGEST, sidecar
from hotbay.source import LocalSource, Offer, RemoteSource, UploadSource, newest, pick

Answer = Callable[[BaseHTTPRequestHandler], None]


def build(root: Path, plugin: str, version: str, out: Path, kind: str = "zip") -> Path:
    folder = root / f"{plugin}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps({"id": plugin, "name": plugin, "version": version}))
    return pack(folder, out, kind="tar.gz" if kind == "tar.gz" else "zip")


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A local source's folder."""
    out = tmp_path / "modules"
    for version in ("1.0.0", "1.9.0", "1.10.0", "2.0.0rc1"):
        build(tmp_path / "work", "shop", version, out)
    build(tmp_path / "work", "beta", "0.1.dev1", out / "deep", "tar.gz")
    return out


def names(offers: list[Offer]) -> list[str]:
    return [f"{offer.id} {offer.version}" for offer in offers]


def test_a_local_folder_lists_the_newest_first(modules: Path) -> None:
    offers = LocalSource(modules).list()
    assert names(offers) == ["beta 0.1.dev1", "shop 2.0.0rc1", "shop 1.10.0", "shop 1.9.0", "shop 1.0.0"]
    assert offers[1].manifest["name"] == "shop"
    assert offers[1].size == Path(offers[1].location).stat().st_size
    assert json.dumps([offer.to_json() for offer in offers])


def test_latest_is_the_highest_and_a_pre_release_only_when_there_is_nothing_else(modules: Path) -> None:
    offers = LocalSource(modules).list()
    assert pick(offers, "shop").version == "1.10.0"
    assert pick(offers, "beta").version == "0.1.dev1"
    assert pick(offers, "shop", "2.0.0rc1").version == "2.0.0rc1"
    assert pick(offers, "shop", "1.0").version == "1.0.0"
    with pytest.raises(NotFound, match=r"2\.0\.0rc1, 1\.10\.0"):
        pick(offers, "shop", "3")
    with pytest.raises(NotFound):
        pick(offers, "shop", "../x")
    with pytest.raises(NotFound, match="no none"):
        pick(offers, "none")
    assert newest([]) == []


def test_unreadable_files_are_left_out_and_reported(modules: Path) -> None:
    (modules / "broken.zip").write_bytes(b"PK\x03\x04")
    (modules / ".hidden.zip").write_bytes(b"")
    (modules / "notes.txt").write_text("x")
    os.mkfifo(modules / "pipe.zip")
    (modules / "gone.zip").symlink_to(modules / "nowhere")
    source = LocalSource(modules)
    assert len(source.list()) == 5
    assert [Path(problem.file).name for problem in source.problems()] == ["broken.zip", "pipe.zip"]
    assert LocalSource(modules / "none").list() == []


def test_folders_below_count_but_not_dot_folders_and_links_to_folders(modules: Path, tmp_path: Path) -> None:
    for folder in ("vendor/deep", ".cache", "folder.zip"):
        (modules / folder).mkdir(parents=True)
        shutil.copy(modules / "shop_v1.9.0.zip", modules / folder / "copy.zip")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(modules / "vendor", elsewhere)
    (modules / "link").symlink_to(elsewhere)
    (modules / "single.zip").symlink_to(elsewhere / "deep" / "copy.zip")
    source = LocalSource(modules)
    found = [
        Path(offer.location).relative_to(modules).as_posix() for offer in source.list() if offer.version == "1.9.0"
    ]
    assert found == ["folder.zip/copy.zip", "shop_v1.9.0.zip", "single.zip", "vendor/deep/copy.zip"]
    assert source.problems() == []


def test_manifests_are_read_again_only_when_a_file_changed(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hotbay import source as subject

    read: list[str] = []
    real = subject.read_manifest
    monkeypatch.setattr(subject, "read_manifest", lambda path: (read.append(path.name), real(path))[1])
    source = LocalSource(modules)
    source.list()
    assert len(read) == 5
    source.list()
    assert len(read) == 5
    os.utime(modules / "shop_v1.9.0.zip", (1, 1))
    (modules / "shop_v1.0.0.zip").unlink()
    assert "shop 1.0.0" not in names(source.list())
    assert read[5:] == ["shop_v1.9.0.zip"]


def test_fetching_copies_and_hashes(modules: Path, tmp_path: Path) -> None:
    got = LocalSource(modules).fetch("shop", "latest", tmp_path / "down")
    assert got.path.parent == tmp_path / "down"
    assert got.sha256 == sha256_file(modules / "shop_v1.10.0.zip") == sha256_file(got.path)
    again = LocalSource(modules).fetch("shop", "1.10.0", tmp_path / "down")
    assert again.path != got.path


def test_an_upload(modules: Path, tmp_path: Path) -> None:
    source = UploadSource(modules / "shop_v1.9.0.zip")
    (offer,) = source.list()
    assert (offer.id, offer.version, offer.sha256) == ("shop", "1.9.0", sha256_file(source.path))
    assert source.fetch("shop", "1.9.0", tmp_path / "down").sha256 == offer.sha256
    with pytest.raises(NotFound):
        source.fetch("other", "latest", tmp_path / "down")


def test_a_signature_beside_an_archive_comes_with_its_offer(modules: Path, tmp_path: Path) -> None:
    archive = modules / "shop_v1.9.0.zip"
    sidecar(archive).write_bytes(b"whatever it says")
    signed = [offer for offer in LocalSource(modules).list() if offer.signature]
    assert names(signed) == ["shop 1.9.0"]
    assert (signed[0].signature, signed[0].sha256) == (b"whatever it says", sha256_file(archive))
    assert LocalSource(modules).fetch("shop", "1.9.0", tmp_path / "down").offer == signed[0]
    (offer,) = UploadSource(archive).list()
    assert offer.signature == b"whatever it says"
    assert "signature" not in offer.to_json()
    assert all(not offer.sha256 for offer in LocalSource(modules).list() if not offer.signature)


def test_a_signature_that_can_t_be_read_is_not_taken_for_none(modules: Path, tmp_path: Path) -> None:
    sidecar(modules / "shop_v1.9.0.zip").mkdir()
    source = LocalSource(modules)
    assert "shop 1.9.0" not in names(source.list())
    assert [problem.rule for problem in source.problems()] == [
        f"the signature {modules}/shop_v1.9.0.zip.sig.json is no file"
    ]
    with pytest.raises(SourceError):
        UploadSource(modules / "shop_v1.9.0.zip").list()


def test_the_hash_of_what_is_signed_is_computed_once(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hotbay import source as subject

    hashed: list[str] = []
    real = subject.sha256_file
    monkeypatch.setattr(subject, "sha256_file", lambda path: (hashed.append(path.name), real(path))[1])
    archive = modules / "shop_v1.9.0.zip"
    source = LocalSource(modules)
    source.list()
    assert hashed == []
    sidecar(archive).write_bytes(b"one")
    assert [offer.signature for offer in source.list() if offer.signature] == [b"one"]
    source.list()
    assert hashed == [archive.name]
    before = sidecar(archive).stat()
    sidecar(archive).write_bytes(b"two")
    os.utime(sidecar(archive), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [offer.signature for offer in source.list() if offer.signature] == [b"two"]
    info, content = archive.stat(), archive.read_bytes()
    archive.write_bytes(content[:-1] + b"x")
    os.utime(archive, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert archive.stat().st_size == info.st_size
    source.list()
    assert hashed == [archive.name] * 2, "read again: what is no archive any more has no hash"
    archive.write_bytes(content)
    source.list()
    sidecar(archive).unlink()
    assert all(not offer.signature and not offer.sha256 for offer in source.list())
    assert hashed == [archive.name] * 3


class Repository:
    """A repository server on loopback; `answers` says what each path does."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, self.headers.get("Authorization", "")))
                answer = outer.answers.get(self.path)
                if answer:
                    answer(self)
                else:
                    self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, base: str, *entries: object) -> None:
        self.answers[base + "/manifest.json"] = body(json.dumps({"plugins": entries}).encode())

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def body(data: bytes, status: int = 200, declared: int | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data) if declared is None else declared))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def redirect(location: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def dripping(seconds: float) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(65536))
    except OSError:
        pass


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A running repository."""
    monkeypatch.setenv("NO_PROXY", "*")
    server = Repository()
    yield server
    server.close()


SHOP = {"id": "shop", "version": "1.0.0", "download_url": "/download/shop/1.0.0"}


def test_a_repository(repository: Repository, modules: Path, tmp_path: Path) -> None:
    data = (modules / "shop_v1.0.0.zip").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    repository.publish("", SHOP | {"sha256": sha256.upper(), "size": len(data), "name": "Shop"})
    repository.answers["/download/shop/1.0.0"] = body(data)
    source = RemoteSource(repository.url)
    (offer,) = source.list()
    assert (offer.sha256, offer.size, offer.manifest["name"]) == (sha256, len(data), "Shop")
    got = source.fetch("shop", "latest", tmp_path / "down")
    assert (got.sha256, got.path.read_bytes()) == (sha256, data)
    assert source.name == repository.url + "/"


def test_a_signature_in_the_index_comes_with_its_offer(repository: Repository, tmp_path: Path) -> None:
    signature = {"payload": "é", "signatures": [{"sig": "AA=="}]}
    repository.publish("", SHOP | {"signature": signature}, SHOP | {"version": "1.0.1", "signature": None})
    repository.answers["/download/shop/1.0.0"] = body(b"bytes")
    unsigned, offer = RemoteSource(repository.url).list()
    assert json.loads(offer.signature) == signature
    assert unsigned.signature == b""
    assert RemoteSource(repository.url).fetch("shop", "1.0.0", tmp_path / "down").offer == offer


@pytest.mark.parametrize(
    "address", ["/download/shop/1.0.0", "download/shop/1.0.0", None, "/plugins/download/shop/1.0.0"]
)
def test_a_repository_below_a_path(repository: Repository, tmp_path: Path, address: str | None) -> None:
    repository.publish("/plugins", SHOP | {"download_url": address})
    repository.answers["/plugins/download/shop/1.0.0"] = body(b"bytes")
    assert RemoteSource(repository.url + "/plugins/").fetch("shop", "1.0.0", tmp_path).path.read_bytes() == b"bytes"


def test_redirects_on_the_same_server_are_followed(repository: Repository, tmp_path: Path) -> None:
    repository.publish("", SHOP)
    repository.answers["/download/shop/1.0.0"] = redirect("/files/a")
    repository.answers["/files/a"] = body(b"bytes")
    assert RemoteSource(repository.url).fetch("shop", "latest", tmp_path).path.read_bytes() == b"bytes"


def test_user_and_password_are_sent_and_told_to_nobody(repository: Repository, tmp_path: Path) -> None:
    repository.publish("", SHOP)
    source = RemoteSource(repository.url.replace("//", "//me:s%40cret@"))
    (offer,) = source.list()
    assert repository.seen[0][1].startswith("Basic ")
    assert "cret" not in source.name + offer.location
    repository.answers.clear()
    with pytest.raises(NotFound) as caught:
        source.list()
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (body(b"bytes", declared=50), "could not be read"),
        (body(b"", 500), "answered 500"),
        (body(b"", 204), "answered 204"),
        (body(bytes(2000)), "larger than 1,000 bytes"),
        (endless, "larger than 1,000 bytes"),
        (dripping(3), "did not finish its answer in 0.3 seconds"),
        (lambda handler: time.sleep(0.8), "could not be read"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "could not be read"),
        (lambda handler: None, "could not be read"),
        (redirect("https://127.0.0.1/x"), "redirects to another server"),
        (redirect("http://localhost/x"), "redirects to another server"),
        (redirect("file:///etc/passwd"), "redirects to another server"),
        (redirect("//evil.example/x"), "redirects to another server"),
        (redirect("/download/shop/1.0.0"), "redirects for ever"),
        (redirect("http://[::1"), "could not be read|another server"),
    ],
)
def test_downloads_that_fail_leave_nothing(repository: Repository, tmp_path: Path, answer: Answer, words: str) -> None:
    repository.publish("", SHOP)
    repository.answers["/download/shop/1.0.0"] = answer
    source = RemoteSource(repository.url, timeout=0.4, max_bytes=1000, patience=0.3)
    with pytest.raises(SourceError, match=words):
        source.fetch("shop", "1.0.0", tmp_path / "down")
    assert list((tmp_path / "down").iterdir()) == []


def test_what_a_repository_does_not_have(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing at /manifest\.json"):
        RemoteSource(repository.url).list()
    repository.publish("", SHOP)
    with pytest.raises(NotFound, match=r"nothing at /download/shop/1\.0\.0"):
        RemoteSource(repository.url).fetch("shop", "1.0.0", tmp_path)
    with pytest.raises(NotFound, match=r"choose one of 1\.0\.0"):
        RemoteSource(repository.url).fetch("shop", "2", tmp_path)


@pytest.mark.parametrize(
    "index",
    [b"", b"<html>", b"[]", b"{}", b'{"plugins": {}}', b"\xff\xfe", b"[" * 200_000, b'{"plugins": ["x"]}'],
)
def test_garbage_for_an_index(repository: Repository, index: bytes) -> None:
    repository.answers["/manifest.json"] = body(index)
    with pytest.raises(SourceError, match=r"manifest\.json"):
        RemoteSource(repository.url).list()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"},
        {"id": 5},
        {"version": "../../x"},
        {"version": "1.0\n"},
        {"version": "1." + "0" * 80},
        {"version": None},
        {"sha256": "short"},
        {"sha256": 5},
        {"signature": "text"},
        {"signature": ["x"]},
        {"signature": 0},
        {"signature": {"payload": "x" * LARGEST}},
        {"size": -1},
        {"size": "1"},
        {"download_url": 5},
        {"download_url": "http://evil.example/x"},
        {"download_url": "//evil.example/x"},
        {"download_url": "https://127.0.0.1/x"},
        {"download_url": "file:///etc/passwd"},
        {"download_url": "/\\evil.example/x"},
        {"download_url": "http://127.0.0.1:1@evil.example/x"},
        {"download_url": "/a\nb"},
        {"download_url": "http://[::1"},
        {"download_url": "http://127.0.0.1:99999/x"},
    ],
)
def test_entries_of_an_index_that_are_not_fit(repository: Repository, change: dict[str, object]) -> None:
    repository.publish("", SHOP | change)
    with pytest.raises(SourceError):
        RemoteSource(repository.url).list()


def test_addresses_that_are_none() -> None:
    for url in ("", "plugins", "ftp://x/", "file:///x", "http://", "http://x:99999/", "http://[::1"):
        with pytest.raises(SourceError, match="no http"):
            RemoteSource(url)


def test_a_server_that_is_down(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(SourceError, match="could not be read") as caught:
        RemoteSource("http://127.0.0.1:9", timeout=1).list()
    assert caught.value.exit_code == 8


def test_without_httpx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(SourceError, match="needs httpx") as caught:
        RemoteSource("http://127.0.0.1:9").list()
    assert "hotbay[remote]" in caught.value.mend


def test_the_source_module_does_not_import_httpx() -> None:
    import subprocess

    code = "import sys, hotbay.source; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
