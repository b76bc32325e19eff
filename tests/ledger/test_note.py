from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.note import MAX_SIGNATURES, MAX_SIZE, Note, NoteSignature

EXAMPLE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
POEM = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""  # noqa: E501 (a signature is one line)


def signature(name: str = "a.example", size: int = 64) -> NoteSignature:
    return NoteSignature(name=name, key_id=b"\x01\x02\x03\x04", value=bytes(size))


def test_the_example_of_the_specification_is_read_and_verifies():
    note = Note.parse(EXAMPLE.encode())
    key = VerifierKey.parse(EXAMPLE_KEY)
    (line,) = note.signatures
    assert (note.text, line.name, line.key_id) == ("This is an example message.\n", key.name, key.key_id)
    key.verify(line.value, note.text.encode())
    assert note.encode() == EXAMPLE.encode()


def test_a_text_may_hold_empty_lines():
    note = Note.parse(POEM.encode())
    assert note.text.endswith(":\n\ned è subito sera.\n")
    assert note.encode() == POEM.encode()


def test_sixteen_large_signatures_are_accepted_and_a_hundred_small_ones():
    for note in (
        Note(text="text\n", signatures=(signature(size=5000),) * 16),
        Note(text="text\n", signatures=(signature(),) * MAX_SIGNATURES),
    ):
        assert Note.parse(note.encode()) == note


def test_more_signatures_or_bytes_than_allowed_are_refused():
    many = Note(text="t\n", signatures=(signature(),)).encode() + signature().line().encode() * MAX_SIGNATURES
    large = Note(text="t" * MAX_SIZE + "\n", signatures=(signature(),)).encode()
    for data in (many, large):
        with pytest.raises(Invalid, match=r"ledger\.note_too_large"):
            Note.parse(data)


LINE = "— a.example " + base64.b64encode(bytes(68)).decode()
REFUSED = {
    "nothing": b"",
    "no signature": b"text\n\n",
    "no blank line": f"text\n{LINE}\n".encode(),
    "no newline at the end": f"text\n\n{LINE}".encode(),
    "an empty line at the end": f"text\n\n{LINE}\n\n".encode(),
    "a text without newline": f"\n{LINE}\n".encode(),
    "a carriage return": f"text\r\n\r\n{LINE}\r\n".encode(),
    "a carriage return in the text": f"te\rxt\n\n{LINE}\n".encode(),
    "a tabulator": f"te\txt\n\n{LINE}\n".encode(),
    "a null": f"te\0xt\n\n{LINE}\n".encode(),
    "a hyphen for the dash": f"text\n\n{LINE}\n".replace("—", "-").encode(),
    "an en dash for the dash": f"text\n\n{LINE}\n".replace("—", "–").encode(),
    "two spaces": f"text\n\n{LINE}\n".replace("— ", "—  ").encode(),
    "a space at the end": f"text\n\n{LINE} \n".encode(),
    "no name": f"text\n\n{LINE}\n".replace("a.example", "").encode(),
    "a plus in the name": f"text\n\n{LINE}\n".replace("a.example", "a+example").encode(),
    "a no-break space in the name": f"text\n\n{LINE}\n".replace("a.example", "a\u00a0example").encode(),
    "base64 with loose bits": f"text\n\n{LINE[:-2]}B=\n".encode(),
    "base64 without padding": f"text\n\n{LINE[:-1]}\n".encode(),
    "base64 with a line break": f"text\n\n{LINE[:40]}\n{LINE[40:]}\n".encode(),
    "base64 of the other alphabet": f"text\n\n{LINE}\n".replace("AAAA", "A_AA").encode(),
    "a signature of the key id only": "text\n\n— a.example AAAAAA==\n".encode(),
    "a signature of three bytes": "text\n\n— a.example AAAA\n".encode(),
    "bytes that are no UTF-8": f"text\n\n{LINE}\n".encode("latin-1", "replace") + b"\xff",
    "UTF-8 in a longer form": b"te\xc0\xafxt\n\n" + f"{LINE}\n".encode(),
    "a surrogate": b"te\xed\xa0\x80xt\n\n" + f"{LINE}\n".encode(),
}


@pytest.mark.parametrize("title", REFUSED)
def test_malformed_notes_are_refused(title):
    with pytest.raises(Invalid, match=r"ledger\.note_malformed"):
        Note.parse(REFUSED[title])


def test_the_line_that_the_refused_ones_vary_is_good():
    assert Note.parse(f"text\n\n{LINE}\n".encode()).signatures == (
        NoteSignature(name="a.example", key_id=bytes(4), value=bytes(64)),
    )


TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]) | st.just("\n"), max_size=60)
NAME = st.text(
    st.characters(min_codepoint=33, exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=20
)
SIGNATURE = st.builds(
    NoteSignature,
    name=NAME.filter(lambda name: "+" not in name),
    key_id=st.binary(min_size=4, max_size=4),
    value=st.binary(min_size=1, max_size=90),
)


@given(TEXT, st.lists(SIGNATURE, min_size=1, max_size=5))
def test_notes_come_back_as_they_went(text, signatures):
    note = Note(text=text + "\n", signatures=tuple(signatures))
    assert Note.parse(note.encode()) == note


@given(st.data())
def test_a_note_with_one_byte_changed_is_refused_or_prints_itself(data):
    whole = bytearray(EXAMPLE.encode())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        note = Note.parse(bytes(whole))
    except Invalid:
        return
    assert note.encode() == bytes(whole)
