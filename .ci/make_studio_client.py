"""Write the types of the studio's page from the routes of the server: studio/api/schema.ts.

``python .ci/make_studio_client.py`` writes it; with ``--check`` it fails if it is not what the routes say.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "studio" / "api" / "schema.ts"
HEAD = "/** Made by .ci/make_studio_client.py from the server's OpenAPI document; do not edit. */\n"
PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the server."""
    from unbraid.server.app import make_app
    from unbraid.server.security import Door

    def never() -> Any:
        raise RuntimeError("this application is not started")

    found: dict[str, Any] = make_app(never, door=Door()).openapi()
    return found


def type_of(schema: dict[str, Any]) -> str:
    """Return the TypeScript type of a JSON schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema or "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema or "oneOf" in schema:
        choices = schema.get("anyOf") or schema["oneOf"]
        return " | ".join(dict.fromkeys(type_of(one) for one in choices))
    kind = str(schema.get("type"))
    return (
        {"array": _array, "object": _record}[kind](schema)
        if kind in {"array", "object"}
        else PLAIN.get(kind, "unknown")
    )


def _array(schema: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"readonly [{', '.join(type_of(one) for one in schema['prefixItems'])}]"
    inner = type_of(schema.get("items", {}))
    return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"


def _record(schema: dict[str, Any]) -> str:
    values = schema.get("additionalProperties")
    return f"Readonly<Record<string, {type_of(values) if isinstance(values, dict) else 'unknown'}>>"


def write_interface(name: str, schema: dict[str, Any]) -> str:
    """Return the declaration of one schema; what has a default may be left out in what is sent."""
    lines = [f"export interface {name} {{"]
    required = schema.get("required", [])
    for field, inner in schema.get("properties", {}).items():
        mark = "" if field in required or "const" in inner else "?"
        lines.append(f"  readonly {field}{mark}: {type_of(inner)};")
    return "\n".join([*lines, "}"])


def write_schema() -> str:
    """Return the whole of studio/api/schema.ts."""
    schemas = document()["components"]["schemas"]
    return "\n".join([HEAD, *(write_interface(name, schemas[name]) + "\n" for name in sorted(schemas))])


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    text = write_schema()
    if not parser.parse_args().check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(f"{TARGET.name} is not what the routes say: run python {Path(__file__).name}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
