"""The place for a learned descriptor of pictures: bring your own ONNX model, it proposes, local features decide.

A model takes pictures (n, 3, side, side), red, green and blue, and gives a vector each (SSCD, DINO, EfficientNet ...).
Its file is named together with its SHA-256, so that nobody's vectors change unseen. Vectors of one model are compared
with each other only: `Model.name` goes beside every vector that is kept. No model is shipped, and none is needed.
What resembles is never what matches: `Shortlist` only names references for `features.Pool.found(also=...)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from chopmark.base.errors import Invalid
from chopmark.media.decode import colours

GATE: Final = 0.65
"""Least cosine of a proposal: with EfficientNet-Lite0 15 % of strange pictures had a reference this near."""
PROPOSED: Final = 5
CODE_BITS: Final = 256

_WRONG = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
)

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How pixels are scaled before they are given to a model; the usual values of networks trained on ImageNet."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)


class Model:
    """An ONNX file, run on one thread of the processor."""

    def __init__(self, path: Path, digest: str, preparation: Preparation | None = None) -> None:
        """Load the file whose SHA-256 is `digest` (64 hexadecimal digits).

        Raises:
            Invalid: `media.model_wrong` when it is another file or does not take one picture of a fixed size.
        """
        data = path.read_bytes()
        found = sha256(data).hexdigest()
        if found != digest:
            raise Invalid("media.model_wrong", name=path.name, digest=found)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except _WRONG as error:
            raise Invalid("media.model_wrong", name=path.name, digest=found) from error
        [given, *more] = self._session.get_inputs()
        if more or len(given.shape) != 4 or given.shape[1] != 3 or not isinstance(given.shape[2], int):
            raise Invalid("media.model_wrong", name=path.name, digest=found)
        self._given, self._side = given.name, given.shape[2]
        self._preparation = preparation or Preparation()
        self.name = f"{path.stem}-{found[:12]}"

    def describe(self, data: bytes) -> Vector:
        """The vector of a picture's file, of length 1 (the whole picture, squeezed into the model's square).

        Raises:
            Invalid: what `decode.luma` raises.
        """
        pixels = cv2.resize(
            colours(data, least=self._side), (self._side, self._side), interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        scaled = (pixels / 255 - self._preparation.mean) / self._preparation.deviation
        batch = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)
        [found, *_] = self._session.run(None, {self._given: batch})
        flat = np.asarray(found, np.float32).reshape(-1)
        return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-9), np.float32)


def code(vector: Vector) -> bytes:
    """256 bits of a vector (signs after a fixed mixing): nearness of vectors as Hamming distance, for a code index."""
    return np.packbits(_mixing(len(vector)) @ vector > 0).tobytes()


@lru_cache(maxsize=4)
def _mixing(size: int) -> Vector:
    """A fixed matrix of +1 and -1, 256 rows."""
    stream = shake_256(b"chopmark learned-v1").digest(CODE_BITS * size // 8)
    signs = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(CODE_BITS, size)
    return (signs.astype(np.float32) * 2) - 1


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
