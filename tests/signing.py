"""Publishers with keys made on the spot, and signatures in every state of disrepair."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from hotbay.keys import fresh_private, load_private
from hotbay.seal import SigningKey, sign_archive, statement_of
from hotbay.signature import PAYLOAD_TYPE, PublisherKey, Statement, pae, sidecar


def publisher(name: str = "Ada") -> SigningKey:
    """A publisher with a fresh key."""
    private = load_private(fresh_private())
    assert private is not None
    return SigningKey(name, private)


def public(*keys: SigningKey) -> list[PublisherKey]:
    """What a host that trusts them knows."""
    return [key.public for key in keys]


def signed(archive: Path, key: SigningKey) -> Path:
    """The archive, with its signature beside it."""
    sign_archive(archive, key)
    return archive


def payload(archive: Path, name: str = "Ada", **changes: Any) -> dict[str, Any]:
    """What a publisher says of an archive, changed."""
    return json.loads(statement_of(archive, name).body()) | changes


def dumped(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def envelope(body: Any, *keys: SigningKey, kind: str = PAYLOAD_TYPE, **changes: Any) -> bytes:
    """An envelope around any payload, signed by the keys for real; `changes` replace its members."""
    data = dumped(body)
    signatures = [
        {"keyid": key.public.keyid, "sig": base64.b64encode(key.private.sign(pae(kind, data))).decode()} for key in keys
    ]
    document = {"payload": base64.b64encode(data).decode(), "payloadType": kind, "signatures": signatures}
    return json.dumps(document | changes).encode()


def put(archive: Path, content: bytes) -> Path:
    """The archive, with this beside it."""
    sidecar(archive).write_bytes(content)
    return archive


STATEMENT = Statement("shop", "1.0.0", "ab" * 32, 7, "Ada")
