"""What an author does with a signature: make a key, sign a package, see whether what lies beside it fits.

The key file is a private key in PEM (PKCS #8, not encrypted) below a line with the publisher's name, readable by its
owner only; its content is in no message.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hotbay.errors import BadInput, NotFound, NotVerified, Refused
from hotbay.folder import whole
from hotbay.keyfile import new_key
from hotbay.keys import fresh_private, load_private
from hotbay.package import read_manifest, sha256_file
from hotbay.signature import (
    LARGEST,
    LONGEST_NAME,
    MOST_SIGNATURES,
    Envelope,
    PublisherKey,
    Statement,
    beside,
    fit_name,
    read_envelope,
    sidecar,
    sign,
)

_HEAD = "Publisher: "


@dataclass(frozen=True)
class SigningKey:
    """A publisher's name and private key."""

    publisher: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> PublisherKey:
        """The half that may be told."""
        return PublisherKey(self.publisher, self.private.public_key())


def make_key(file: Path, publisher: str) -> SigningKey:
    """Make a key in a new file, and its public half in one line in a file beside it, with `.pub` at its end.

    Raises BadInput for what can be no name, and Refused when one of the files is there: a key is never overwritten.
    """
    if not fit_name(publisher):
        rule = f"a publisher's name has 1 to {LONGEST_NAME} printable characters, and no blanks around it"
        raise BadInput(f"{publisher!r} can't be a publisher's name", mend=rule)
    public = file.with_name(file.name + ".pub")
    there = next((one for one in (file, public) if os.path.lexists(one)), None)
    if there is not None:
        raise Refused(f"{there} is there already, and a key is never overwritten", mend="name another file")
    try:
        new_key(file, f"{_HEAD}{publisher}\n".encode() + fresh_private())
    except FileExistsError:
        raise Refused(f"{file} is there already, and a key is never overwritten", mend="name another file") from None
    made = load_key(file)
    public.write_text(made.public.text + "\n", encoding="utf-8")
    return made


def load_key(file: Path) -> SigningKey:
    """The key in a file that `make_key` wrote. Raises NotFound, and BadInput, which tells nothing of the content."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no key file {file}", mend="`hotbay keygen` makes one") from None
    head, _, pem = data.partition(b"\n")
    private = load_private(pem)
    with suppress(UnicodeDecodeError):
        publisher = head.decode().removeprefix(_HEAD)
        if private is not None and head.startswith(_HEAD.encode()) and fit_name(publisher):
            return SigningKey(publisher, private)
    raise BadInput(f"{file} is no key of a publisher", mend="give the file that `hotbay keygen` wrote, not its .pub")


def statement_of(archive: Path, publisher: str) -> Statement:
    """What a publisher says when they sign an archive. Raises what reading a package raises."""
    manifest = read_manifest(archive)
    return Statement(manifest.id, manifest.version, sha256_file(archive), archive.stat().st_size, publisher)


def sign_archive(archive: Path, key: SigningKey) -> Path:
    """Write the signature of an archive beside it; answers its path. Safe to repeat.

    Signatures of the same statement by other keys stay (one publisher, two keys: while one takes the other's place).
    What is beside it and does not fit the archive any more is replaced. Raises Refused when another publisher has
    signed it, and what reading a package raises.
    """
    if archive.is_dir():
        raise BadInput(f"{archive} is a folder, which has no signature", mend="`hotbay pack --sign` packs and signs it")
    statement = statement_of(archive, key.publisher)
    there = fitting(archive)
    if there is not None and there.statement.publisher != key.publisher:
        raise Refused(
            f"{archive} is signed by {there.statement.publisher} already",
            mend=f"delete {sidecar(archive)} if you publish it in your own name",
        )
    others = [one for one in there.signatures if one.keyid != key.public.keyid] if there is not None else []
    content = sign(statement, key.private, others)
    if len(others) >= MOST_SIGNATURES or len(content) > LARGEST:
        raise Refused(f"{archive} has too many signatures", mend=f"delete {sidecar(archive)} and sign it anew")
    with whole(sidecar(archive)) as temporary, temporary.open("xb") as stream:
        stream.write(content)
    return sidecar(archive)


def fitting(archive: Path) -> Envelope | None:
    """The envelope beside an archive, if there is one that can be read and that is about these bytes."""
    data = beside(archive)
    try:
        found = read_envelope(data) if data else None
    except NotVerified:
        return None
    return found if found is not None and fits(found, archive) else None


def fits(envelope: Envelope, archive: Path) -> bool:
    """True when an envelope is about these bytes. That its signatures are genuine is seen with the keys only."""
    return envelope.statement == statement_of(archive, envelope.statement.publisher)
