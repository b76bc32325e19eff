"""What two claims of one registration share: the office's own number, of the application or of the registration.

`numbers.keys` is for finding, and generous; this is for deciding, and strict.
"""

from __future__ import annotations

from chopmark.rights import numbers
from chopmark.rights.record import Record


def claims(record: Record) -> frozenset[str]:
    """The registrations that a record claims to be; empty where nobody registers it."""
    return claims_of(record.kind, record.office, record.application_number, record.registration_number)


def claims_of(kind: str, office: str, application: str, registration: str) -> frozenset[str]:
    """The same from the columns of a table."""
    found = set()
    for which, number in (("a", application), ("r", registration)):
        keys = numbers.synonyms(number, office)
        if keys:
            found.add(f"{kind}:{which}:{keys[0]}")
    return frozenset(found)
