"""What two claims of one registration share: the office's own number, of the application or of the registration.

`numbers.keys` is for finding, and generous; this is for deciding, and strict.
"""

from __future__ import annotations

from collections.abc import Iterable

from chopmark.rights import numbers
from chopmark.rights.record import Record


def claims(record: Record) -> frozenset[str]:
    """The registrations that a record claims to be; empty where nobody registers it."""
    return claims_of(record.kind, record.office, record.application_number, record.registration_number)


def twins(record: Record) -> frozenset[str]:
    """Every registration that a record may be, also with its number in another form: with or without a check figure.

    For who must be alone and whose disputes follow whom: there a number written otherwise must not be another number.
    """
    found = {f"{record.kind}:a:{each}" for each in _keys(record.application_number, record.office)}
    return frozenset(found | {f"{record.kind}:r:{each}" for each in _keys(record.registration_number, record.office)})


def numbers_in(found: Iterable[str]) -> list[str]:
    """The keys of the numbers in claims or twins, as tables have them."""
    return sorted({each.split(":", 2)[2] for each in found})


def _keys(number: str, office: str) -> list[str]:
    """With the office's letters, where there is such an office."""
    all_of_them = numbers.synonyms(number, office)
    return [each for each in all_of_them if ":" in each] or list(all_of_them)


def claims_of(kind: str, office: str, application: str, registration: str) -> frozenset[str]:
    """The same from the columns of a table."""
    found = set()
    for which, number in (("a", application), ("r", registration)):
        keys = numbers.synonyms(number, office)
        if keys:
            found.add(f"{kind}:{which}:{keys[0]}")
    return frozenset(found)
