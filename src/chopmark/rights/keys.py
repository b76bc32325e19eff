"""The ways in which the number of a record may be written, as keys for tables: office and number, without ornament."""

from __future__ import annotations

import unicodedata

from chopmark.rights.record import Record

MAX_KEY = 80


def keys_of(record: Record) -> frozenset[str]:
    """Every key of a record; empty where it has no number."""
    numbers = (record.application_number, record.registration_number)
    keys = {key for number in numbers for key in number_keys(record.office, number)}
    return frozenset(keys | ({record.st13[:MAX_KEY]} if record.st13 else set()))


def number_keys(office: str, number: str) -> frozenset[str]:
    """Keys of one number as it is written: letters and digits alone, and the same without leading zeros."""
    plain = "".join(each for each in unicodedata.normalize("NFKC", number).upper() if each.isalnum())
    if not plain:
        return frozenset()
    return frozenset(f"{office}:{each}"[:MAX_KEY] for each in (plain, plain.lstrip("0") or "0"))
