"""The OpenAPI document arranged for reading: one entry an operation, with its fields and a command to try it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """A field of a request or an answer; `depth` is how far it is nested."""

    name: str
    kind: str
    required: bool
    description: str
    depth: int


@dataclass(frozen=True, slots=True)
class OperationEntry:
    """One operation: `arguments` of curl follow the address, which lacks scheme and host."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    asked: tuple[FieldEntry, ...]
    answered: tuple[FieldEntry, ...]
    statuses: tuple[str, ...]
    address: str
    arguments: str
    example: str


def reference(document: Mapping[str, Any]) -> tuple[OperationEntry, ...]:
    """Return the operations of an OpenAPI *document*, in its order."""
    return tuple(
        _entry(document, path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )


def _entry(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> OperationEntry:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answer = next(iter(operation["responses"]["200"]["content"].values()))
    parameters = operation.get("parameters", [])
    query = urlencode({p["name"]: p["example"] for p in parameters if "example" in p}, quote_via=quote, safe=":")
    asked = [_field(p["name"], p["schema"], p["required"], 0) for p in parameters]
    arguments = ""
    if "example" in body:
        arguments = f"-H 'content-type: application/json' -d {shlex.quote(json.dumps(body['example']))}"
    return OperationEntry(
        method=method.upper(),
        path=path,
        anchor=operation["operationId"],
        summary=operation["summary"],
        description=operation.get("description", ""),
        asked=(*asked, *_fields(document, body.get("schema", {}), 0)),
        answered=_fields(document, answer["schema"], 0),
        statuses=tuple(operation["responses"]),
        address=f"{path}?{query}" if query else path,
        arguments=arguments,
        example=json.dumps(answer["example"], indent=2, ensure_ascii=False) if "example" in answer else "",
    )


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> tuple[FieldEntry, ...]:
    """Return the fields of *schema*, each followed by those nested in it."""
    schema = _resolved(document, schema)
    out: list[FieldEntry] = []
    for name, inner in schema.get("properties", {}).items():
        entry = _field(name, inner, name in schema.get("required", ()), depth)
        out.append(
            entry if "$ref" not in inner else replace(entry, description=_resolved(document, inner)["description"])
        )
        nested = inner.get("items", inner)
        out.extend(_fields(document, nested if isinstance(nested, Mapping) else {}, depth + 1))
    return tuple(out)


def _field(name: str, schema: Mapping[str, Any], required: bool, depth: int) -> FieldEntry:
    described = [schema, *schema.get("anyOf", [])]
    description = next((s["description"] for s in described if "description" in s), "")
    return FieldEntry(name, _kind(schema), required, description, depth)


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(s) for s in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "$ref" in schema:
        return "object"
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}s" if isinstance(schema.get("items"), Mapping) else "list"
    return str(schema.get("type", "any"))


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found
