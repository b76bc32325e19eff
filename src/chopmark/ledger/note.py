"""Signed notes (C2SP signed-note): a text and the lines of its signatures.

    text, any number of lines

    — <key name> <base64 of key id || signature>

Reads and prints the form; which signatures are true is found in `checkpoint`.
"""

from __future__ import annotations

from dataclasses import dataclass

from chopmark.base.errors import Invalid
from chopmark.ledger.keys import is_key_name
from chopmark.ledger.text import parse_base64, to_base64

MAX_SIGNATURES = 100
MAX_SIZE = 256 * 1024
KEY_ID_SIZE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line.

    Attributes:
        name: the key name.
        key_id: 4 bytes; with the name it says which key signed and how.
        value: what follows the key id, at least one byte.
    """

    name: str
    key_id: bytes
    value: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name) or len(self.key_id) != KEY_ID_SIZE or not self.value:
            raise Invalid("ledger.note_malformed")

    def line(self) -> str:
        """The line in the note, with its newline."""
        return f"— {self.name} {to_base64(self.key_id + self.value)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text with its signatures.

    Attributes:
        text: UTF-8 text that ends in a newline and holds no other control character.
        signatures: 1 to 100.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or any(character < " " and character != "\n" for character in self.text):
            raise Invalid("ledger.note_malformed")
        if not self.signatures:
            raise Invalid("ledger.note_malformed")
        if len(self.signatures) > MAX_SIGNATURES:
            raise Invalid("ledger.note_too_large", limit=MAX_SIZE, signatures=MAX_SIGNATURES)

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note.

        Raises:
            Invalid: `ledger.note_malformed`; `ledger.note_too_large` above 256 KiB or 100 signatures.
        """
        if len(data) > MAX_SIZE:
            raise Invalid("ledger.note_too_large", limit=MAX_SIZE, signatures=MAX_SIGNATURES)
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Invalid("ledger.note_malformed") from error
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise Invalid("ledger.note_malformed")
        signatures = tuple(_parse_line(line) for line in lines.removesuffix("\n").split("\n"))
        note = cls(text=text + "\n", signatures=signatures)
        if note.encode() != data:
            raise Invalid("ledger.note_malformed")
        return note

    def encode(self) -> bytes:
        """The note in bytes."""
        return "".join([self.text, "\n", *(signature.line() for signature in self.signatures)]).encode()


def _parse_line(line: str) -> NoteSignature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—":
        raise Invalid("ledger.note_malformed")
    try:
        value = parse_base64(encoded)
    except ValueError as error:
        raise Invalid("ledger.note_malformed") from error
    return NoteSignature(name=name, key_id=value[:KEY_ID_SIZE], value=value[KEY_ID_SIZE:])
