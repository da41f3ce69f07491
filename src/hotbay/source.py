"""Where packages come from: a local folder, a repository over HTTP, an uploaded file. Bytes only, nothing trusted."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urljoin, urlsplit

from packaging.version import InvalidVersion, Version

from hotbay.errors import HotbayError, NotFound, Problem, SourceError
from hotbay.package import LIMITS, read_manifest, sha256_file
from hotbay.signature import LARGEST, beside
from hotbay.signature import SUFFIX as SIDECAR
from hotbay_sdk import rules
from hotbay_sdk.manifest import dump

CHUNK = 64 * 1024
SUFFIXES = (".zip", ".tar.gz")
LATEST = "latest"
MAX_INDEX = 16 * 1024 * 1024
# These become parts of file names: anything else than the manifest would allow is refused.
_ID = re.compile(rules.ID)
_VERSION = re.compile(rules.VERSION)
# Nothing in it that two parsers of addresses could read in two ways.
_ADDRESS = re.compile(r"[^\x00-\x20\x7f\\@]+")
_SHA256 = re.compile(r"(?:[0-9a-fA-F]{64})?")


@dataclass(frozen=True)
class Offer:
    """A package that a source has. `sha256` and `size` (bytes) are what the source says, empty or 0 when nothing.

    `signature` is the envelope that came with it, as it is and not checked; empty when none did.
    """

    id: str
    version: str
    sha256: str = ""
    size: int = 0
    manifest: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    signature: bytes = b""

    def to_json(self) -> dict[str, Any]:
        """Flat JSON with the manifest below, without the signature."""
        names = ("id", "version", "sha256", "size", "manifest", "location")
        return {name: getattr(self, name) for name in names}


# Named here because inside a class with a method `list` that word means the method.
Offers = list[Offer]
Problems = list[Problem]
Mark = tuple[int, ...]


@dataclass(frozen=True)
class Download:
    """A fetched file. `sha256` was computed from the bytes that were written to `path`."""

    path: Path
    offer: Offer
    sha256: str


class Source(Protocol):
    """Where packages come from. Failures are SourceError; what is not there is NotFound."""

    @property
    def name(self) -> str:
        """A word for people: "local", "upload" or the repository's address."""

    def list(self) -> Offers:
        """All packages, by id, the newest version first."""

    def fetch(self, plugin: str, version: str, into: Path) -> Download:
        """Put the bytes of a package (`latest`: the highest version) into a new file in the folder `into`."""


def newest(offers: Iterable[Offer]) -> Offers:
    """Offers by id, then from the highest version down."""
    return sorted(sorted(offers, key=lambda offer: Version(offer.version), reverse=True), key=lambda offer: offer.id)


def pick(offers: Iterable[Offer], plugin: str, version: str = LATEST) -> Offer:
    """The offer of that version; `latest` is the highest, a pre-release only when there is nothing else.

    Raises NotFound naming what is there instead.
    """
    mine = newest(offer for offer in offers if offer.id == plugin)
    final = [offer for offer in mine if not Version(offer.version).is_prerelease]
    wanted = (final or mine)[:1] if version == LATEST else [one for one in mine if _same(one.version, version)]
    if wanted:
        return wanted[0]
    there = ", ".join(offer.version for offer in mine)
    mend = f"choose one of {there}" if mine else "look at the list of what the source offers"
    raise NotFound(f"the source has no {plugin} {'' if version == LATEST else version}".rstrip(), mend=mend)


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


class LocalSource:
    """Every .zip and .tar.gz in a folder and below it (not in dot folders), with the signatures beside them.

    What can't be read is left out. Files are read again when they, or their signatures, have other times.
    """

    name = "local"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[Mark, Offer | Problem]] = {}

    def list(self) -> Offers:
        """All packages, by id, the newest version first; hashes are computed of those only that are signed."""
        return newest(found for found in self._scan() if isinstance(found, Offer))

    def problems(self) -> Problems:
        """Why files of the folder are not in the list."""
        return [found for found in self._scan() if isinstance(found, Problem)]

    def fetch(self, plugin: str, version: str, into: Path) -> Download:
        """Copy a package's file. Raises NotFound."""
        offer = pick((found for found in self._scan() if isinstance(found, Offer)), plugin, version)
        return _copy(Path(offer.location), offer, into)

    def _scan(self) -> Iterator[Offer | Problem]:
        before, self._known = self._known, {}
        for path, mark in _archives(self.folder):
            known = before.get(path)
            try:
                found = known[1] if known and known[0] == mark else _offer(path)
            except FileNotFoundError:  # removed since the folder was read
                continue
            self._known[path] = (mark, found)
            yield found


def _archives(folder: Path) -> list[tuple[Path, Mark]]:
    """The packages in a folder and below it, sorted; each with what is another one when it, or the signature beside it,
    is another file.
    """
    found = []
    for inside in _folders(str(folder)):
        for name, entry in inside.items():
            if name.endswith(SUFFIXES) and not entry.is_dir():
                with suppress(FileNotFoundError):  # removed since the folder was read
                    found.append((Path(entry.path), (*_mark(entry), *_mark_beside(inside.get(f"{name}{SIDECAR}")))))
    return sorted(found)


def _folders(folder: str) -> Iterator[dict[str, os.DirEntry[str]]]:
    """What is in a folder, and in those below it, by name; without dot files. To have its entries tells their kind."""
    try:
        with os.scandir(folder) as entries:
            inside = {entry.name: entry for entry in entries if not entry.name.startswith(".")}
    except OSError:
        return
    yield inside
    for entry in inside.values():
        if entry.is_dir(follow_symlinks=False):
            yield from _folders(entry.path)


def _mark(entry: os.DirEntry[str]) -> Mark:
    """What is another one when a file is another one. The time of change can't be set at will, as that of writing."""
    info = entry.stat()
    return info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_size


def _mark_beside(entry: os.DirEntry[str] | None) -> Mark:
    try:
        return () if entry is None else _mark(entry)
    except OSError:
        return ()


def _offer(path: Path) -> Offer | Problem:
    try:
        manifest, signature, size = read_manifest(path), beside(path), path.stat().st_size
    except HotbayError as error:
        return Problem("(package)", error.message, file=str(path), mend=error.mend)
    except PermissionError as error:
        return Problem("(package)", f"can't be read: {error.strerror}", file=str(path))
    sha256 = sha256_file(path) if signature else ""
    return Offer(manifest.id, manifest.version, sha256, size, dump(manifest), str(path), signature)


class UploadSource:
    """One file that somebody gave, with the signature beside it."""

    name = "upload"

    def __init__(self, path: Path) -> None:
        self.path = path

    def list(self) -> Offers:
        """The one package. Raises NotFound, InvalidPackage, InvalidManifest or SourceError."""
        manifest = read_manifest(self.path)
        size, sha256 = self.path.stat().st_size, sha256_file(self.path)
        signature = beside(self.path)
        return [Offer(manifest.id, manifest.version, sha256, size, dump(manifest), str(self.path), signature)]

    def fetch(self, plugin: str, version: str, into: Path) -> Download:
        """Copy the file. Raises as `list` does, NotFound when it is another package."""
        return _copy(self.path, pick(self.list(), plugin, version), into)


def _copy(path: Path, offer: Offer, into: Path) -> Download:
    try:
        with path.open("rb") as stream:
            return _write(iter(lambda: stream.read(CHUNK), b""), offer, into, LIMITS.archive)
    except FileNotFoundError:
        raise NotFound(f"{path} is gone") from None


def _write(chunks: Iterator[bytes], offer: Offer, into: Path, most: int) -> Download:
    """Write chunks to a new file in `into` and hash them; nothing is left when they fail or are too many."""
    into.mkdir(parents=True, exist_ok=True)
    target = into / f"{offer.id}_v{offer.version}.{secrets.token_hex(4)}.package"
    hashed, size = hashlib.sha256(), 0
    try:
        with target.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise SourceError(f"{offer.id} {offer.version} is larger than {most:,} bytes")
                hashed.update(chunk)
                file.write(chunk)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Download(target, offer, hashed.hexdigest())


class RemoteSource:
    """A repository server: `/manifest.json`, which has the packages' signatures too, and `/download/{id}/{version}`.

    `timeout` (seconds) holds for connecting and for each wait for bytes, `patience` (seconds) for a whole answer,
    `max_bytes` for a package. Redirects and download addresses must stay on the repository's scheme, host and
    port. Needs the extra "remote" (httpx).
    """

    def __init__(
        self, url: str, timeout: float = 10.0, max_bytes: int = LIMITS.archive, *, patience: float = 300.0
    ) -> None:
        parts = urlsplit(url if _origin(url)[2] > 0 else "")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SourceError(f"{url!r} is no http(s) address", mend="set PLUGIN_SERVER_URL")
        self.auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        # Without user and password, so that no message, offer or record holds them.
        self.url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/") + "/"
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.patience = patience

    @property
    def name(self) -> str:
        """The repository's address, without user and password."""
        return self.url

    def list(self) -> Offers:
        """All packages, by id, the newest version first. Raises SourceError."""
        document = self._index()
        plugins = document.get("plugins") if isinstance(document, dict) else None
        if not isinstance(plugins, list):
            raise SourceError(f"{self.name}manifest.json is not of the form {{'plugins': [...]}}")
        return newest(self._offer(entry, number) for number, entry in enumerate(plugins))

    def fetch(self, plugin: str, version: str, into: Path) -> Download:
        """Download a package. Raises SourceError, and NotFound when the repository does not have it."""
        offer = pick(self.list(), plugin, version)
        with closing(self._get(offer.location, self.max_bytes)) as chunks:
            return _write(chunks, offer, into, self.max_bytes)

    def _index(self) -> Any:
        with closing(self._get(urljoin(self.url, "manifest.json"), MAX_INDEX)) as chunks:
            data = b"".join(chunks)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise SourceError(f"{self.name}manifest.json is no JSON") from None

    def _offer(self, entry: Any, number: int) -> Offer:
        """An entry of the index, every member checked: it comes from outside."""
        entry = entry if isinstance(entry, dict) else {}
        plugin, version = entry.get("id"), entry.get("version")
        sha256, size = entry.get("sha256") or "", entry.get("size") or 0
        texts = [(_ID, plugin), (_VERSION, version), (_SHA256, sha256)]
        good = all(isinstance(text, str) and len(text) <= 64 and form.fullmatch(text) for form, text in texts)
        signature = _envelope(entry)
        if not good or not isinstance(size, int) or size < 0 or signature is None:
            what = "id, version, sha256, size or signature"
            raise SourceError(f"{self.name}manifest.json: plugins[{number}] has no fit {what}")
        address = entry.get("download_url") or f"download/{plugin}/{quote(str(version))}"
        location = self._resolve(address if isinstance(address, str) else "")
        return Offer(str(plugin), str(version), sha256.lower(), size, entry, location, signature)

    def _resolve(self, address: str) -> str:
        """An absolute address on the repository's own origin. "/download/…" is below the repository's own path."""
        base = urlsplit(self.url)
        inside = address.startswith("/") and not address.startswith("//") and not address.startswith(base.path)
        location = _join(self.url, address.lstrip("/") if inside else address)
        if not _ADDRESS.fullmatch(address) or _origin(location) != _origin(self.url):
            raise SourceError(f"{self.name}: the address {address[:200]!r} leaves the repository's server")
        return location

    def _get(self, address: str, most: int) -> Generator[bytes, None, None]:
        """The body of an answer with status 200, in chunks. The only place that touches the network."""
        httpx = _httpx()
        try:
            with httpx.Client(timeout=self.timeout, follow_redirects=False, auth=self.auth) as client:
                yield from self._follow(client, address, most)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            raise SourceError(f"{self.name} could not be read: {reason}", mend="is the repository up?") from None

    def _follow(self, client: Any, address: str, most: int) -> Iterator[bytes]:
        for _ in range(5):
            with client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as answer:
                if answer.has_redirect_location:
                    address = _join(address, answer.headers["location"])
                    if not _ADDRESS.fullmatch(address) or _origin(address) != _origin(self.url):
                        raise SourceError(f"{self.name} redirects to another server")
                    continue
                if answer.status_code == 404:
                    raise NotFound(f"{self.name} has nothing at {urlsplit(address).path}")
                if answer.status_code != 200:
                    raise SourceError(f"{self.name} answered {answer.status_code} for {urlsplit(address).path}")
                yield from self._body(answer, most)
                return
        raise SourceError(f"{self.name} redirects for ever")

    def _body(self, answer: Any, most: int) -> Iterator[bytes]:
        size, end = 0, time.monotonic() + self.patience
        for chunk in answer.iter_raw():
            size += len(chunk)
            if time.monotonic() > end:
                raise SourceError(f"{self.name} did not finish its answer in {self.patience:g} seconds")
            if size > most:
                raise SourceError(f"the answer of {self.name} is larger than {most:,} bytes")
            yield chunk


def _envelope(entry: dict[str, Any]) -> bytes | None:
    """The signature of an entry, as it would be in a file; empty when there is none, None for what can be none."""
    found = entry.get("signature")
    if found is None:
        return b""
    data = json.dumps(found).encode() if isinstance(found, dict) else b""
    return data if 0 < len(data) <= LARGEST else None


def _join(base: str, address: str) -> str:
    """`urljoin`, empty for an address that is none."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def _origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port; a broken address has an origin that equals none."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ("", address, -1)
    return (parts.scheme, (parts.hostname or "").lower(), port)


def _httpx() -> Any:
    try:
        import httpx
    except ImportError:
        mend = "install it with: pip install 'hotbay[remote]'"
        raise SourceError("reading a remote repository needs httpx", mend=mend) from None
    return httpx
