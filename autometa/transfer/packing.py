"""Past studies as functions in one archive, and back.

Law: what is unpacked answers exactly as what was packed; nothing in it can run code. Numbers are kept in double
precision, because a population that is read and one that was just learned must make the same suggestions.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.space import SearchSpace
from autometa.transfer.features import Features, Points
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.past_studies import Functions, PastStudies
from autometa.transfer.population import Population

if TYPE_CHECKING:
    from autometa.store import TaskRecord

ARCHIVE = 1  # of the archive, and of the mathematics that made what is in it


def packed(past: PastStudies, counts: Mapping[str, int]) -> bytes:
    """Everything but the records of the studies, which their store has; they are named by fingerprint.

    `counts` says from how many evaluations of which studies it was learned, also of those that are not in the table.
    """
    functions, population = past.functions, past.functions.population
    head = {
        "version": ARCHIVE,
        "space": functions.space.to_json(),
        "studies": [record.fingerprint for record in past.records],
        "counts": dict(counts),
        "configs": list(past.configs),
        "examples": list(past.examples),
        "metafeature_names": list(past.metafeature_names),
        "metafeature_version": past.metafeature_version,
        "length": population.features.length,
        "level": population.features.level,
        "noise": population.noise,
    }
    row, column = np.nonzero(~np.isnan(past.scores))
    content = BytesIO()
    np.savez(
        content,
        head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
        places=population.features.inducing.places, family=population.features.inducing.family,
        scales=population.features.scales,
        mean=population.mean, covariance=population.covariance,
        weights=functions.weights, usual=functions.usual, best=functions.best,
        row=row, column=column, scores=past.scores[row, column], seconds=past.seconds[row, column],
        spread=past.spread, tried=past.tried, metafeatures=past.metafeatures,
    )  # fmt: skip
    return content.getvalue()


class Archive:
    """What `packed` wrote."""

    def __init__(self, head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """As `read` finds them."""
        self._head, self._kept = head, arrays

    @classmethod
    def read(cls, content: bytes | None) -> Archive | None:
        """All of it; None where there is none, and for another version or anything else."""
        try:
            with np.load(BytesIO(content or b""), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            head = json.loads(arrays.pop("head").tobytes())
        except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile):
            return None
        return cls(head, arrays) if head.get("version") == ARCHIVE else None

    @property
    def counts(self) -> dict[str, int]:
        """From how many evaluations of which studies it was learned."""
        return self._head["counts"]

    @property
    def studies(self) -> list[str]:
        """The fingerprints of the studies in its table."""
        return self._head["studies"]

    def past(self, records: Sequence[TaskRecord], options: TransferOptions = OPTIONS) -> PastStudies:
        """What was packed; `records` are those of `studies`, in that order."""
        head, kept = self._head, self._kept
        inducing = Points(kept["places"], kept["family"])
        features = Features.at(inducing, head["length"], head["level"], kept["scales"])
        population = Population(features, kept["mean"], kept["covariance"], head["noise"], options)
        space = SearchSpace.from_json(head["space"])
        functions = Functions(space, population, kept["weights"], kept["usual"], kept["best"])
        scores = np.full(kept["spread"].shape, np.nan)
        seconds = scores.copy()
        scores[kept["row"], kept["column"]] = kept["scores"]
        seconds[kept["row"], kept["column"]] = kept["seconds"]
        return PastStudies(
            tuple(records), tuple(head["configs"]), scores, seconds, kept["metafeatures"],
            tuple(head["metafeature_names"]), head["metafeature_version"], functions=functions, spread=kept["spread"],
            tried=kept["tried"], examples=tuple((config, tuple(names)) for config, names in head["examples"]),
        )  # fmt: skip
