from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base import digests
from chopmark.base.errors import Invalid

ABC_SM3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"  # GB/T 32905-2016, example 1


def test_sm3_gives_the_digest_of_the_standard():
    found = digests.digests_of([b"a", b"bc"], sm3=True)
    assert found.sm3 == bytes.fromhex(ABC_SM3)
    assert found.named() == {"sha-256": hashlib.sha256(b"abc").digest(), "sm3": bytes.fromhex(ABC_SM3)}


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_chunks_do_not_matter(chunks):
    whole = b"".join(chunks)
    found = digests.digests_of(chunks)
    assert found == digests.Digests(sha256=hashlib.sha256(whole).digest(), size=len(whole))
    assert found.named() == {"sha-256": found.sha256}


def test_a_digester_may_be_asked_on_the_way():
    digester = digests.Digester(sm3=True)
    digester.update(b"abc")
    assert digester.digests().sm3 == bytes.fromhex(ABC_SM3)
    digester.update(b"d")
    assert digester.digests() == digests.digests_of([b"abcd"], sm3=True)


def test_a_stream_is_read_in_pieces_of_a_mebibyte():
    data = bytes(digests.CHUNK + 1)
    assert [len(chunk) for chunk in digests.chunks_of(io.BytesIO(data))] == [digests.CHUNK, 1]


def test_digests_in_text_are_read():
    value = bytes.fromhex(ABC_SM3)
    assert digests.parse_digest(f"sm3:{ABC_SM3}") == ("sm3", value)
    assert digests.parse_digest(f" SHA-256:{ABC_SM3.upper()} ") == ("sha-256", value)
    assert digests.parse_digest(ABC_SM3) == ("sha-256", value)


@pytest.mark.parametrize(
    "text",
    ["", "sha-256:", ABC_SM3[:-1], ABC_SM3 + "0", f"md5:{ABC_SM3}", f"sm3:sm3:{ABC_SM3}", ABC_SM3[:-1] + "g",
     ABC_SM3[:-1] + " ", ABC_SM3[:-2] + "٠١", f":{ABC_SM3}"],
)  # fmt: skip
def test_malformed_digests_are_refused(text):
    with pytest.raises(Invalid, match=r"base\.digest_malformed"):
        digests.parse_digest(text)
