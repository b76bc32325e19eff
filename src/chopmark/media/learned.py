"""The place for a learned descriptor of pictures: bring your own ONNX model, it proposes, local features decide.

A model takes pictures (n, 3, side, side), red, green and blue, and gives a vector each (SSCD, DINO, EfficientNet ...).
Its file is named together with its SHA-256, so that nobody's vectors change unseen. Vectors of one model are compared
with each other only: `Model.name` goes beside every vector that is kept. No model is shipped, and none is needed.
Runs in the process that decodes, see `making`; what comes of the vectors is in `shortlist`.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from chopmark.base.errors import Invalid
from chopmark.media.decode import colours
from chopmark.media.shortlist import Vector

_WRONG = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
)


_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""How pixels are scaled before they are given to a model: the usual values of networks trained on ImageNet."""


class Model:
    """An ONNX file, run on one thread of the processor."""

    def __init__(self, path: Path, digest: str) -> None:
        """Load the file whose SHA-256 is `digest` (64 hexadecimal digits).

        Raises:
            Invalid: `media.model_wrong` when it is missing, another file or does not take one picture of a fixed size.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Invalid("media.model_wrong", name=path.name, digest="") from error
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
        self.name = f"{path.stem}-{found[:12]}"

    def describe(self, data: bytes) -> Vector:
        """The vector of a picture's file, of length 1 (the whole picture, squeezed into the model's square).

        Raises:
            Invalid: what `decode.luma` raises.
        """
        pixels = cv2.resize(
            colours(data, least=self._side), (self._side, self._side), interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        scaled = (pixels / 255 - _MEAN) / _DEVIATION
        batch = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)
        [found, *_] = self._session.run(None, {self._given: batch})
        flat = np.asarray(found, np.float32).reshape(-1)
        return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-9), np.float32)
