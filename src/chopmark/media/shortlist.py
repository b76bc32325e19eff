"""Vectors of pictures that a learned model made (`learned`): encoded as a print, and compared to propose references.

Vectors of one model are compared with each other only, so its name goes with each. What resembles is never what
matches: a shortlist only names references whose local features are then compared. Loads no model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from chopmark.base import cbor
from chopmark.base.errors import Invalid

GATE: Final = 0.65
"""Least cosine of a proposal: with EfficientNet-Lite0 15 % of strange pictures had a reference this near."""
PROPOSED: Final = 5
MOST: Final = 16_384  # numbers of a vector

Vector = npt.NDArray[np.float32]


def encode(model: str, vector: Vector) -> bytes:
    """A vector with the name of the model that made it, as a print."""
    return cbor.encode({"model": model, "vector": vector.astype("<f4").tobytes()})


def decode(data: bytes) -> tuple[str, Vector]:
    """Back.

    Raises:
        Invalid: `media.print_malformed`: it is none, or not of length 1.
    """
    try:
        said = cbor.decode(data)
        vector = np.frombuffer(said["vector"], "<f4").astype(np.float32)
        model = said["model"]
    except (Invalid, ValueError, TypeError, KeyError) as error:
        raise Invalid("media.print_malformed") from error
    if not (isinstance(model, str) and 0 < len(vector) <= MOST and abs(float(vector @ vector) - 1) < 0.01):
        raise Invalid("media.print_malformed")
    return model, vector


class Shortlist:
    """The vectors of all references; those nearest to a query's are proposed."""

    def __init__(self, rows: Iterable[tuple[int, Vector]] = ()) -> None:
        self._vectors: dict[int, Vector] = dict(rows)
        self._matrix: tuple[npt.NDArray[np.int64], Vector] | None = None

    def add(self, identity: int, vector: Vector) -> None:
        """Add or replace a reference."""
        self._vectors[identity] = vector
        self._matrix = None

    def remove(self, identity: int) -> None:
        """Let a reference answer no more; one that is not there is no error."""
        self._vectors.pop(identity, None)
        self._matrix = None

    def candidates(self, vector: Vector, limit: int = PROPOSED, gate: float = GATE) -> tuple[tuple[int, float], ...]:
        """References and cosines, the nearest first, none below `gate`."""
        if not self._vectors:
            return ()
        if self._matrix is None:
            self._matrix = np.array(list(self._vectors), np.int64), np.stack(list(self._vectors.values()))
        who, matrix = self._matrix
        cosines = matrix @ vector
        nearest = np.argsort(-cosines, kind="stable")[:limit]
        return tuple((int(who[at]), round(float(cosines[at]), 4)) for at in nearest if cosines[at] >= gate)
