"""The place for a learned model: the file that was named and no other, vectors, a shortlist."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import cv2
import numpy as np
import pytest
from media.drawn import jpeg, scene

from chopmark.base.errors import Invalid
from chopmark.media import shortlist
from chopmark.media.index.codes import CodeIndex
from chopmark.media.learned import Model
from chopmark.media.match import Library
from chopmark.media.shortlist import Shortlist
from chopmark.media.workshop import Workshop


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def _field(number: int, value: int | str | bytes) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _value(name: str, shape: list[int]) -> bytes:
    dimensions = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dimensions)))


def network(side: int = 32, channels: int = 3, cells: int = 4) -> bytes:
    """An ONNX model that averages each of `cells` by `cells` squares of each colour."""
    size = side // cells
    sizes = b"".join(_field(8, size) for _ in range(2))
    attributes = [_field(1, name) + sizes + _field(20, 7) for name in ("kernel_shape", "strides")]
    node = _field(1, "x") + _field(2, "y") + _field(4, "AveragePool") + b"".join(_field(5, each) for each in attributes)
    graph = (
        _field(1, node)
        + _field(2, "means")
        + _field(11, _value("x", [1, channels, side, side]))
        + _field(12, _value("y", [1, channels, cells, cells]))
    )
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "means.onnx"
    path.write_bytes(network())
    return Model(path, sha256(network()).hexdigest())


def test_a_model_describes_a_picture_by_a_vector_of_length_one(model):
    vector = model.describe(jpeg(scene(1)))
    assert vector.shape == (48,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert model.name == f"means-{sha256(network()).hexdigest()[:12]}"
    middle = cv2.resize(scene(1), (32, 32), interpolation=cv2.INTER_AREA)[:, :, ::-1] / 255
    scaled = (middle - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    plain = scaled.reshape(4, 8, 4, 8, 3).mean(axis=(1, 3)).transpose(2, 0, 1).reshape(-1)
    assert vector @ (plain / np.linalg.norm(plain)) > 0.999


WRONG = {
    "another file than was named": (network(), "00" * 32),
    "no model": (b"no model", None),
    "a model of gray pictures": (network(channels=1), None),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_model_is_refused(what, tmp_path):
    data, digest = WRONG[what]
    path = tmp_path / "wrong.onnx"
    path.write_bytes(data)
    with pytest.raises(Invalid, match="model_wrong"):
        Model(path, digest or sha256(data).hexdigest())


def test_a_shortlist_proposes_the_nearest_and_a_removed_one_no_more(model):
    vectors = {number: model.describe(jpeg(scene(number))) for number in range(6)}
    known = Shortlist(vectors.items())
    query = model.describe(jpeg(cv2.GaussianBlur(scene(2), (0, 0), 3), 40))
    assert known.candidates(query)[0][0] == 2
    assert all(cosine >= shortlist.GATE for _, cosine in known.candidates(query))
    known.remove(2)
    known.remove(2)
    assert 2 not in dict(known.candidates(query, gate=-1))
    known.add(2, vectors[2])
    assert known.candidates(query)[0][0] == 2
    assert len(known.candidates(query, limit=2, gate=-1)) == 2
    assert Shortlist().candidates(query) == ()


def test_a_model_in_the_cage_proposes_and_local_features_decide(tmp_path):
    path = tmp_path / "means.onnx"
    path.write_bytes(network())
    workshop = Workshop(1, model=f"{sha256(network()).hexdigest()}:{path}")
    try:
        kept = [workshop.fingerprint(jpeg(scene(number))) for number in range(4)]
        query = workshop.fingerprint(jpeg(scene(2), 60), query=True)
    finally:
        workshop.close()
    assert shortlist.decode(kept[2].named("learned"))[0] == f"means-{sha256(network()).hexdigest()[:12]}"

    def found(asked, prints):
        library = Library(CodeIndex(tmp_path / "none", Nothing(), "test"), lambda _: {}, Prints(prints))
        library.find(asked)
        library._pool.candidates = lambda *_: ()  # nothing but the model proposes
        return [(each.file, each.stage) for each in library.find(asked)]

    asked = replace(query, codes=())
    assert found(asked, kept) == [(2, "features")]
    alike = [replace(each, prints=(kept[0].prints[0], each.prints[-1])) for each in kept]  # resembles, does not agree
    assert found(asked, alike) == []
    plain = replace(asked, prints=tuple(each for each in asked.prints if each.name != "learned"))
    assert found(plain, kept) == []


class Nothing:
    """No codes."""

    def last(self):
        return 0


class Prints:
    def __init__(self, kept):
        self._kept = kept

    def last(self):
        return len(self._kept)

    def added(self, after, last, limit):
        some = enumerate(self._kept[after : min(last, after + limit)], after)
        return [(place + 1, place, each.kind, each.prints) for place, each in some]

    def gone(self, *_):
        return []


@pytest.mark.parametrize("data", [b"", b"x", shortlist.encode("m", np.ones(4, np.float32))])
def test_what_is_no_vector_of_length_one_is_not_read(data):
    with pytest.raises(Invalid, match=r"media\.print_malformed"):
        shortlist.decode(data)
    vector = np.array([0.6, 0.8], np.float32)
    assert shortlist.decode(shortlist.encode("m", vector))[1].tolist() == vector.tolist()
