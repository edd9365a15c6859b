"""The service over HTTP, by FastAPI: /predict, /explain, /health, /openapi.json, and a page to try it by hand.

Bodies are read here, as far as they may go; what they hold is for `service`. Rows are answered in threads, so that
whoever asks for /health does not wait.
"""

import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from autometa.errors import AutoMetaError, InputError, Problem
from autometa.listening import names_us
from autometa.serve.columns import example_row
from autometa.serve.encoded import described
from autometa.serve.options import OPTIONS
from autometa.serve.page import trial_page
from autometa.serve.service import Reply, Service, TooMuchError, explanations, said

JSON_KIND, CSV_KIND, FORM_KIND = "application/json", "text/csv", "multipart/form-data"
_KINDS = {JSON_KIND: "json", CSV_KIND: "csv", "application/csv": "csv", "application/octet-stream": "csv"}
_BOOLEAN = {"type": "boolean", "default": False}
_QUERY = {
    "proba": (_BOOLEAN, "Add proba_LABEL for each class."),
    "threshold": ({"type": "number"}, "Of two classes: the probability from which a row is positive, for this once."),
    "interval": ({"type": "number"}, "Such as 0.9: add lower and upper, or of classes prediction_set."),
    "by": ({"type": "string"}, "With interval: each category of this column has that share."),
    "allow_missing": (_BOOLEAN, "Answer where a column is lacking: it counts as missing."),
}
_LOG = logging.getLogger("autometa.serve")


def application(
    service: Service, *, token: str | None = None, local: bool = True, most_bytes: int = OPTIONS.bytes
) -> FastAPI:
    """The service as an ASGI application, for uvicorn or another server.

    Args:
        service: What answers.
        token: That requests must carry (``Authorization: Bearer TOKEN``); None for none.
        local: Whether only requests that name this machine as their host are heard, which keeps out pages of strangers
            whose names were made to lead here.
        most_bytes: Of one request.

    Example:
        >>> from autometa.serve import Service
        >>> application(Service.open(run)).openapi()["info"]["title"]
        'table'
    """
    from autometa import __version__

    app = FastAPI(
        title=service.model.name,
        version=__version__,
        description=f"Predicts {service.model.target!r} ({service.model.kind}). Made by AutoMeta.",
        docs_url=None,  # its scripts would come from elsewhere
        redoc_url=None,
    )

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = _refused(request, token, local)
        response = refused if refused is not None else await call_next(request)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    _say_what_is_wrong(app)
    _add_pages(app, service)

    async def answered(request: Request, answer: Callable[..., Reply], as_json: Callable[[Reply], Any]) -> Response:
        kind = _kind_of(request, service)
        body = await _body(request, most_bytes)
        answers = await run_in_threadpool(answer, body, kind, dict(request.query_params))
        return _response(request, kind, answers, as_json)

    @app.post("/predict", **_described(service, "Predict rows", tuple(_QUERY)))
    async def predict(request: Request) -> Response:
        """The answers for a list of rows, or for a table in CSV."""
        return await answered(
            request,
            service.predict,
            lambda found: {"target": service.model.target, "rows": len(found.table), "predictions": found.records()},
        )

    @app.post("/explain", **_described(service, "Explain rows", ("allow_missing",)))
    async def explain(request: Request) -> Response:
        """Why rows are answered as they are: base + contributions of the columns = answer (Shapley values)."""
        return await answered(
            request,
            service.explain,
            lambda found: {
                "target": service.model.target,
                "rows": found.asked_rows,
                "explanations": explanations(found),
            },
        )

    return app


def _refused(request: Request, token: str | None, local: bool) -> Response | None:
    """Why a request is not heard; None where it is."""
    if local and not names_us(request.headers.get("host")):
        fix = "Ask 127.0.0.1 or localhost; --host serves others."
        return _wrong(421, [Problem("host", "is not this machine", fix)])
    if token is None or request.url.path == "/health":
        return None
    carried = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    carried = carried or request.query_params.get("token", "") if request.method == "GET" else carried
    if secrets.compare_digest(carried.encode(), token.encode()):
        return None
    fix = "Send Authorization: Bearer TOKEN, with the token that the service printed."
    return _wrong(
        401, [Problem("token", "is missing" if not carried else "is wrong", fix)], {"WWW-Authenticate": "Bearer"}
    )


def _say_what_is_wrong(app: FastAPI) -> None:
    """Every error is a list of problems, as ``--json`` has it on the command line."""

    @app.exception_handler(AutoMetaError)
    async def wrong(request: Request, error: Exception) -> Response:
        status = 413 if isinstance(error, TooMuchError) else 422 if isinstance(error, InputError) else 500
        return _plain({"error": said(error)}, status)  # type: ignore[arg-type]

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        if isinstance(error, _Refused):
            return _wrong(status, [error.problem])
        known = "POST /predict, POST /explain, GET /health, GET /openapi.json, GET /"
        what = {404: "is not here", 405: f"does not take {request.method}"}.get(status, str(error))
        headers = getattr(error, "headers", None)
        return _wrong(status, [Problem(request.url.path, what, f"There are {known}.")], headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        what = f"failed here ({type(error).__name__})"
        return _wrong(500, [Problem(request.url.path, what, "The service has written more on its standard error.")])


def _add_pages(app: FastAPI, service: Service) -> None:
    """What a person looks at, and what watches over the service."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(trial_page(service))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return RedirectResponse("/#programs")

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        return Response(status_code=204)

    @app.head("/health", include_in_schema=False)
    @app.get("/health", summary="Whether it works, and what it is")
    async def health() -> Response:
        """Always answered at once, without a token."""
        return _plain(service.about())


def _kind_of(request: Request, service: Service) -> str:
    """``json`` or ``csv``, by what a request says of its body; of images that come as they are, what it says."""
    whole = request.headers.get("content-type", "")
    given = whole.split(";")[0].strip().lower()
    if given in _KINDS:
        return _KINDS[given]
    fix = f"Send {JSON_KIND} (a list of rows) or {CSV_KIND} (a table with a header)."
    if service.encoded is not None and service.encoded.images:
        if given == FORM_KIND or given.startswith("image/"):
            return whole
        fix = f"Send {JSON_KIND} (rows with images as base64), {FORM_KIND} (files), or one image as it is (image/png)."
    raise _Refused(415, Problem("Content-Type", f"{given!r} is not taken" if given else "is missing", fix))


class _Refused(HTTPException):
    """A request that is not heard to its end."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(status)
        self.problem = problem


async def _body(request: Request, most: int) -> bytes:
    """The body of a request, as far as it may go."""
    declared, parts, size = request.headers.get("content-length", ""), [], 0
    problem = Problem("body", f"is larger than {most:,} bytes", "Send fewer rows at once; --max-body allows more.")
    if declared.isdigit() and int(declared) > most:
        raise _Refused(413, problem)
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise _Refused(413, problem)
            parts.append(part)
    except ClientDisconnect:  # nobody hears this, and it is no fault of the service
        raise _Refused(400, Problem("body", "was not sent to its end")) from None
    return b"".join(parts)


def _response(request: Request, kind: str, answers: Reply, as_json: Callable[[Reply], Any]) -> Response:
    """Answers in the format that a request accepts, else in its own."""
    accepted = request.headers.get("accept", "")
    if CSV_KIND in accepted or (kind == "csv" and JSON_KIND not in accepted):
        notes = {"AutoMeta-Notes": json.dumps(answers.notes)} if answers.notes else {}  # ASCII alone
        text = answers.table.to_csv(index=False)
        return Response(text, media_type=CSV_KIND, headers=notes)
    return _plain({**as_json(answers), "notes": answers.notes})


def _plain(value: Any, status: int = 200, headers: Any = None) -> Response:
    content = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Response(content.encode("utf-8", "replace"), status, headers=headers, media_type=JSON_KIND)


def _wrong(status: int, problems: list[Problem], headers: Any = None) -> Response:
    return _plain({"error": said(InputError(problems))}, status, headers)


def _described(service: Service, summary: str, parameters: tuple[str, ...]) -> dict[str, Any]:
    """What OpenAPI says of a path: what it takes, by the columns of the model, and what it may answer."""
    properties = {field.name: field.schema() for field in service.fields}
    row = {"type": "object", "properties": properties, "required": list(properties), "title": "Row"}
    rows = {"type": "array", "items": row, "maxItems": service.rows}
    example = [example_row(service.fields)]
    query = [
        {"name": name, "in": "query", "required": False, "schema": _QUERY[name][0], "description": _QUERY[name][1]}
        for name in parameters
    ]
    body: dict[str, Any] = {
        "required": True,
        "content": {
            JSON_KIND: {"schema": {"anyOf": [rows, row]}, "example": example},
            CSV_KIND: {"schema": {"type": "string"}},
        },
    }
    if service.encoded is not None and service.encoded.images:
        body["content"] |= described(service.fields, service.encoded.column)
    problem = {"type": "object", "properties": {name: {"type": "string"} for name in ("where", "what", "fix")}}
    error = {"type": "object", "properties": {"error": {"type": "array", "items": problem}}}
    reasons = {401: "The token", 413: "Too much at once", 415: "The content type", 422: "Everything that is wrong"}
    answers = {
        status: {"description": why, "content": {JSON_KIND: {"schema": error}}} for status, why in reasons.items()
    }
    answers[200] = {"description": "Rows of answers", "content": {JSON_KIND: {}, CSV_KIND: {}}}
    return {"summary": summary, "responses": answers, "openapi_extra": {"parameters": query, "requestBody": body}}
