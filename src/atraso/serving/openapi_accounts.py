"""The part of the OpenAPI document about logging in and what administrators do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from atraso.serving.problems import response_name

Json = dict[str, Any]
_LIMITS = (400, 408, 413, 431, 500)


def account_paths(version: str) -> Json:
    """Return the paths; *version* is the example of a model."""
    return {
        "/v1/token": {
            "post": _operation(
                "logIn",
                "Get a token",
                "For a name and password in HTTP Basic, which are proved by the directory (`ATRASO_AUTH=ldap`).",
                "TokenAnswer",
                (401, 404, 422, 429, 503, *_LIMITS),
                security=[{"login": []}],
            )
        },
        "/.well-known/jwks.json": {
            "get": {
                "operationId": "publicKeys",
                "summary": "The public keys that tokens are signed with",
                "responses": {"200": _answer("application/jwk-set+json", {"type": "object", "required": ["keys"]})},
            }
        },
        "/v1/revocations": {
            "post": _operation(
                "revoke",
                "Revoke tokens or a key",
                "Counts in all workers, and in other services with the same database, within seconds.",
                "RevocationAnswer",
                (401, 403, 404, 422, 429, 503, *_LIMITS),
                body={
                    "schema": {"$ref": "#/components/schemas/RevocationRequest"},
                    "example": {"kind": "subject", "value": "alice"},
                },
            )
        },
        "/v1/models/{version}/activate": {
            "post": _operation(
                "activateModel",
                "Use another model",
                "One that is at hand (`GET /v1/models`). It is tried first; the workers then take it one by one.",
                "ActivationAnswer",
                (401, 403, 404, 422, 429, 503, *_LIMITS),
                parameters=[
                    {
                        "name": "version",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                        "example": version,
                    }
                ],
            )
        },
    }


def _operation(
    name: str,
    summary: str,
    description: str,
    schema: str,
    statuses: Sequence[int],
    *,
    security: Sequence[Json] = ({"key": []},),
    body: Json | None = None,
    parameters: Sequence[Json] = (),
) -> Json:
    answer = _answer("application/json", {"$ref": f"#/components/schemas/{schema}"})
    refused = {str(s): {"$ref": f"#/components/responses/{response_name(s)}"} for s in sorted(statuses)}
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "security": list(security),
        "responses": {"200": answer, **refused},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _answer(kind: str, schema: Json) -> Json:
    return {"description": "The answer.", "content": {kind: {"schema": schema}}}
