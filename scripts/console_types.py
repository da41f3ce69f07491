"""Write the TypeScript types of what the console sends and hears: from the OpenAPI document of the host's own API.

python scripts/console_types.py            writes console/src/api/bodies.ts and console/src/api/answers.ts
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "console" / "src" / "api"
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
        if "prefixItems" in schema:
            return f"[{', '.join(map(typed, schema['prefixItems']))}]"
        inner = typed(schema.get("items", {}))
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {typed(values) if isinstance(values, dict) else 'unknown'}>"
    return PLAIN.get(schema.get("type", ""), "unknown")


def interface(name: str, schema: dict[str, Any]) -> str:
    """One shape; what has a default, or may be missing, may be left out."""
    required = set(schema.get("required", ()))
    lines = [
        f"  {field}{'' if field in required else '?'}: {typed(about)};" for field, about in schema["properties"].items()
    ]
    about = schema.get("description", "").replace("*/", "")
    comment = [f"/** {about} */"] if about and not name.endswith("Body") else []
    return "\n".join([*comment, f"export interface {name} {{", *lines, "}\n"])


def render(made: dict[str, Any]) -> dict[str, str]:
    """The files by name: every schema of the document that is a request's body, and those of answers."""
    schemas = {name: schema for name, schema in sorted(made["components"]["schemas"].items()) if "properties" in schema}
    parts: dict[str, list[str]] = {"bodies.ts": [HEAD], "answers.ts": [HEAD]}
    for name, schema in schemas.items():
        if name not in ("HTTPValidationError", "ValidationError"):
            parts["bodies.ts" if name.endswith("Body") else "answers.ts"].append(interface(name, schema))
    return {name: "\n".join(texts) for name, texts in parts.items()}


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    for name, text in render(document()).items():
        (TARGET / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{TARGET / name}\n")
