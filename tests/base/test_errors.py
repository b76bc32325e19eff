from __future__ import annotations

import pytest

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable


@pytest.mark.parametrize("kind", [Refused, Invalid, Unavailable])
def test_an_error_carries_its_code_and_facts(kind):
    error = kind("ledger.index_outside", index=3, size=2)
    assert isinstance(error, PlatformError)
    assert (error.code, error.facts) == ("ledger.index_outside", {"index": 3, "size": 2})
    assert str(error) == "ledger.index_outside index=3 size=2"


def test_an_error_without_facts_is_its_code():
    assert str(Refused("people.not_allowed")) == "people.not_allowed"
