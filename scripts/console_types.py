"""Write the TypeScript types of what the console sends: from the OpenAPI document of the host's own API.

python scripts/console_types.py            writes console/src/api/bodies.ts
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "console" / "src" / "api" / "bodies.ts"
HEAD = "// Written by scripts/console_types.py from the server's OpenAPI document; not by hand.\n"
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def document() -> dict[str, Any]:
    """The OpenAPI document of the API, of a host that is never started."""
    from fastapi import FastAPI

    from hotbay import Hotbay

    with tempfile.TemporaryDirectory() as folder:
        hotbay = Hotbay(FastAPI(), home=Path(folder), database_url=f"sqlite:///{folder}/hotbay.db")
        made: dict[str, Any] = hotbay.api.app.openapi()
        return made


def typed(schema: dict[str, Any]) -> str:
    """A schema as a TypeScript type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(typed(one) for one in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " | ".join(f'"{value}"' for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"({typed(schema.get('items', {}))})[]"
    if schema.get("type") == "object":
        return "Record<string, unknown>"
    return PLAIN.get(schema.get("type", ""), "unknown")


def interface(name: str, schema: dict[str, Any]) -> str:
    """One body; what has a default may be left out."""
    required = set(schema.get("required", ()))
    lines = [
        f"  {field}{'' if field in required else '?'}: {typed(about)};" for field, about in schema["properties"].items()
    ]
    return "\n".join([f"export interface {name} {{", *lines, "}\n"])


def render(made: dict[str, Any]) -> str:
    """The file: every schema of the document that is a request's body."""
    schemas = made["components"]["schemas"]
    bodies = {
        name: schemas[name] for name in sorted(schemas) if name.endswith("Body") and "properties" in schemas[name]
    }
    return "\n".join([HEAD, *(interface(name, schema) for name, schema in bodies.items())])


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render(document()), encoding="utf-8")
    sys.stdout.write(f"{TARGET}\n")
