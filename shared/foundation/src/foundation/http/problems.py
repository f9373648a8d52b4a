"""Problem details (RFC 9457): every error leaves as `application/problem+json` with a stable `type`, and nothing personal in it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from foundation.decider import Refusal
from foundation.http.faults import FieldError, field_error
from foundation.refusals import said
from foundation.texts import LANGUAGES

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:tongxin:problem:"
ERRORS_MAX = 50
"""How many faults of one request are listed; a caller with more has a bug, not a typing error."""


class English(BaseModel):
    """The same in English."""

    title: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details. `type` and the other members are stable: programs branch on them. People read the Chinese `title` and
    `detail`, and the English ones beside them (docs/decisions/0019)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:tongxin:problem:member-not-active"])
    title: str = Field(description="In Chinese.", examples=["会员不在正常状态"])
    status: int
    detail: str = Field(description="In Chinese.")
    en: English
    trace: str | None = Field(default=None, description="What to quote when asking about it: the trace id in our logs.")
    errors: list[FieldError] | None = None


class NoSuchResource(Refusal):
    """Nothing is at this address."""

    status = 404


class MethodNotAllowed(Refusal):
    """The resource is there, the method is not."""

    status = 405

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = dict(headers)


class NotAcceptable(Refusal):
    """The answer is JSON, which the caller's Accept header rules out (RFC 9110, 12.5.1)."""

    status = 406


class MediaTypeUnsupported(Refusal):
    """The body is not of the media type that the route takes (RFC 9110, 15.5.16)."""

    status = 415


class BodyMalformed(Refusal):
    """The body is not JSON text in UTF-8 with unique names (RFC 8259; RFC 7493, 2)."""

    status = 400


class BodyTooLarge(Refusal):
    """The body is over what the route takes; `limit` is in bytes."""

    status = 413


class RequestInvalid(Refusal):
    """The request does not have the documented form; `errors` says where."""

    status = 422


class RecordTooLarge(Refusal):
    """What would be recorded is over the size of a record; documents belong outside, by digest."""

    status = 413


class PersonErased(Refusal):
    """The person's data was destroyed for this purpose, so nothing more can be recorded under it."""

    status = 410


class Unavailable(Refusal):
    """Not now: nothing was half-written, and the same request may be sent again after `retry_after` seconds."""

    status = 503
    retry_after = 1


class Overloaded(Unavailable):
    """More commands are queued than the service takes."""


class Contended(Unavailable):
    """The command's streams moved under it every time."""


class HistoryUnavailable(Unavailable):
    """The history cannot be read or written now."""

    retry_after = 2


class HistoryFull(Unavailable):
    """The disk is full: commands are refused until there is room."""

    retry_after = 60


class WritesRefused(Unavailable):
    """Somebody has seen more of this history than it holds: an operator restores it or declares a new epoch first."""

    retry_after = 60


class VaultUnavailable(Unavailable):
    """The vault with the keys cannot be reached now."""

    retry_after = 2


class InternalError(Refusal):
    """A bug. Nothing is said but the trace id."""

    status = 500


COMMON: tuple[type[Refusal], ...] = (
    BodyMalformed,
    NoSuchResource,
    MethodNotAllowed,
    NotAcceptable,
    BodyTooLarge,
    MediaTypeUnsupported,
    RequestInvalid,
    InternalError,
    Unavailable,
)
"""What any route may answer; documented on each."""


def problem(refusal: Refusal, *, trace: str | None = None) -> Response:
    """The response for a refusal, its status and headers included."""
    document = _document(refusal) | ({"trace": trace} if trace else {})
    return Response(orjson.dumps(document, default=_plain), refusal.status, _headers(refusal), MEDIA_TYPE)


def _document(refusal: Refusal) -> dict[str, Any]:
    zh, en = (said(refusal, language) for language in LANGUAGES)
    return {
        "type": TYPE_PREFIX + refusal.TYPE,
        "title": zh.title,
        "status": refusal.status,
        "detail": zh.detail,
        "en": {"title": en.title, "detail": en.detail},
        **refusal.members,
    }


def _plain(value: object) -> Any:
    """What JSON has no word for; a member that is a refusal itself, as one row's of a list, is a problem document in its place."""
    return _document(value) if isinstance(value, Refusal) else str(value)


def _headers(refusal: Refusal) -> dict[str, str]:
    headers: dict[str, str] = {"cache-control": "no-store", "content-language": "zh-CN, en", **getattr(refusal, "headers", {})}
    if isinstance(refusal, Unavailable):
        headers["retry-after"] = str(refusal.retry_after)
    if isinstance(refusal, BodyTooLarge):
        headers["connection"] = "close"  # the rest of the body is on its way, and nobody will read it
    return headers


# ----------------------------------------------------------------------------------------------- from exceptions


def from_http_exception(error: HTTPException) -> Refusal:
    """What the router and FastAPI say with a bare status. FastAPI hides behind a 400 whatever went wrong while it read the body."""
    if isinstance(error.__cause__, Refusal):
        return error.__cause__
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NoSuchResource()
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed(error.headers or {})
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return BodyMalformed()
    return InternalError()


def from_validation(error: RequestValidationError) -> Refusal:
    """The faults that pydantic found, without the values it found them in."""
    faults = [field_error(one) for one in error.errors()[:ERRORS_MAX]]
    return RequestInvalid(errors=faults)


# ------------------------------------------------------------------------------------------------- documentation


def problems(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer these refusals, for its OpenAPI document."""
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in dict.fromkeys(refusals):
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        status: {
            "description": "\n".join(f"- `{one.TYPE}`: {_sentence(one)}" for one in found),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}),
        }
        for status, found in sorted(by_status.items())
    }


def _sentence(refusal: type[Refusal]) -> str:
    return (refusal.__doc__ or refusal.TYPE).strip().split("\n")[0]


def merged(*documents: Mapping[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Several `responses`, their descriptions joined where they speak of the same status."""
    out: dict[int | str, dict[str, Any]] = {}
    for document in documents:
        for status, response in document.items():
            first = out.get(status)
            out[status] = response if first is None else {**first, **response, "description": _joined(first, response)}
    return out


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    lines = [*first.get("description", "").split("\n"), *second.get("description", "").split("\n")]
    return "\n".join(dict.fromkeys(line for line in lines if line))


def trace_of(request: Request) -> str | None:
    """The trace id that the edge gave this request."""
    return request.scope.get("tongxin.trace")
