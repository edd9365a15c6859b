"""A finished model as a web service: ``autometa serve RUN``.

    service   what is answered: a request's body as a table, predictions, explanations; knows nothing of HTTP
    reading   bodies and parameters as tables and values, or everything that is wrong with them
    encoded   what of a request an encoder makes vectors of first: images, as base64 or as files, and texts
    columns   the columns that a row needs, as JSON Schema for programs and as fields of a form
    web       the same over HTTP, by FastAPI (extra ``serve``)
    page      the page on which a person tries it, with page.css of the report and try.js
    running   a socket, uvicorn, and an end in good order
    options   the tuned numbers

Laws: what is wrong is said as the command line says it, all of it at once, with status 422, and nothing is answered;
the page and the service need nothing from elsewhere; only this machine hears it unless another address is named.
"""

from __future__ import annotations

from autometa.serve.service import Asked, Service, TooMuchError

__all__ = ["Asked", "Service", "TooMuchError"]
