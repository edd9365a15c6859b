"""The tuned numbers of the web service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How much one request may ask; `OPTIONS` are those in use."""

    # Rows of one request, unless told. Judgement, not measured: `autometa predict` is for more, part by part.
    rows: int = 10_000
    # Bytes of one request, unless told. Judgement, not measured: the rows above, with a kilobyte each, and room.
    bytes: int = 32_000_000
    # Pixels of an image that a request sends: a bomb of some kilobytes unfolds to gigabytes. Judgement: the largest
    # photographs have as many.
    pixels: int = 60_000_000
    # Rows that one request has explained; each asks the model hundreds of times. Judgement, not measured.
    explained_rows: int = 100
    # Seconds that a request for explanations may take. Judgement, not measured: half of what proxies wait.
    explain_seconds: float = 30.0
    # Seconds that requests have to end once the service is told to. Judgement: below the 10 s after which containers
    # are killed.
    grace_seconds: int = 8
    # Problems of one kind that are named in an answer; it says how many more there are. Judgement: a screen.
    named: int = 20
    # Categories up to which a field of the form is a list to choose from. Judgement: what people scroll through.
    choices: int = 60


OPTIONS = ServeOptions()
