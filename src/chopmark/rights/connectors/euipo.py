"""EUIPO's trade mark search: OAuth 2 client credentials, `GET /trademarks/{number}`, JSON.

The shape of the answer is that of EUIPO's description of its interface (trademark-search 1.1) and of answers that users
of its sandbox published; from here it has not been asked. What a mark's goods are comes in every language of the
European Union; English and Chinese are kept where given, otherwise the first.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx

from chopmark.base.errors import Invalid, Refused
from chopmark.rights.connectors.access import EuipoAccess
from chopmark.rights.connectors.door import Answer, Door
from chopmark.rights.imports import fields
from chopmark.rights.imports.fields import Notes
from chopmark.rights.imports.plain import folded
from chopmark.rights.record import Class, Designation, Identifier, Mark, Party, Record, Source, Text

SCOPE = "uid"
MARGIN = timedelta(seconds=60)  # a token is renewed before it ends
MAX_TOKEN = 8192
_NUMBER = re.compile(r"W?[0-9]{6,9}[A-Z]?")
_LANGUAGES = ("en", "zh")


class Euipo:
    """EUIPO, asked with the operator's key.

    Args:
        clock: the time, for the age of the token and the record.
    """

    def __init__(
        self,
        access: EuipoAccess,
        *,
        clock: Callable[[], datetime],
        wait: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._access = access
        self._clock = clock
        self._door = Door("EM", wait=wait, transport=transport)
        self._token: tuple[str, datetime] | None = None

    def record(self, number: str) -> Record:
        """See `Connector.record`; the number of an application, which is that of the registration too."""
        bare = re.sub(r"[\s.-]", "", number.upper()).removeprefix("EM").removeprefix("EU")
        bare = bare.zfill(9) if bare.isdecimal() else bare
        if not _NUMBER.fullmatch(bare):
            raise Refused("imports.office_number", number=number[:40])
        url = f"{self._access.api}/trademarks/{bare}"
        try:
            answer = self._door.get(url, self._headers())
        except Refused as error:
            if error.code != "imports.office_key_wrong" or self._token is None:
                raise
            self._token = None  # it may have ended early
            answer = self._door.get(url, self._headers())
        return read(answer, url=url, fetched_at=self._clock(), number=bare)

    def close(self) -> None:
        """Give the connection back."""
        self._door.close()

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._valid_token()}",
            "X-IBM-Client-Id": self._access.client_id,
            "Accept": "application/json",
        }

    def _valid_token(self) -> str:
        if self._token is not None and self._clock() < self._token[1]:
            return self._token[0]
        answer = self._door.post(
            self._access.token,
            {
                "grant_type": "client_credentials",
                "client_id": self._access.client_id,
                "client_secret": self._access.client_secret,
                "scope": SCOPE,
            },
        )
        data = _object(answer.body)
        token, life = data.get("access_token"), data.get("expires_in")
        if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN or not re.fullmatch(r"[!-~]+", token):
            raise Invalid("imports.office_answer", office="EM", status=answer.status)
        seconds = life if type(life) is int and 0 < life < 10**6 else 0
        self._token = token, self._clock() + timedelta(seconds=seconds) - MARGIN
        return token


def read(answer: Answer, *, url: str, fetched_at: datetime, number: str) -> Record:
    """A record from EUIPO's answer.

    Raises:
        Invalid: `imports.office_answer` for what is none, or is about another mark than was asked for.
    """
    data = _object(answer.body)
    if _text(data, "applicationNumber") != number:
        raise Invalid("imports.office_answer", office="EM", status=answer.status)
    notes = Notes(where=number)
    if answer.simulated:
        notes.raw["simulated"] = "yes"
    feature = _text(data, "markFeature")
    basis = _text(data, "markBasis")
    if basis:
        notes.raw["basis"] = basis
    image = _mapping(data, "markImage")
    status = _text(data, "status")
    registered = notes.day("registration_date", _text(data, "registrationDate"))
    published = [_text(each, "publicationDate") for each in _list(data, "publications")]
    record = Record(
        kind="trademark",
        office="EM",
        application_number=number,
        registration_number=number if registered is not None else "",
        mark=Mark(
            verbal=_text(_mapping(data, "wordMarkSpecification"), "verbalElement"),
            feature=notes.feature(feature),
            vienna=tuple(folded(each) for each in _items(image, "viennaClasses") if isinstance(each, str)),
            disclaimer=_text(data, "disclaimer"),
            description=tuple(
                Text(text=said, lang=_text(each, "language"))
                for each in _list(data, "markDescription")
                if (said := _text(each, "text"))
            ),
        ),
        owners=tuple(filter(None, (_party(each) for each in _list(data, "applicants")))),
        representatives=tuple(filter(None, (_party(each) for each in _list(data, "representatives")))),
        classes=_classes(data, notes),
        designations=(Designation(territory="EU", via="madrid" if basis.startswith("INTERNATIONAL") else "regional"),),
        application_date=notes.day("application_date", _text(data, "applicationDate")),
        publication_date=notes.day("publication_date", min(filter(None, published), default="")),
        registration_date=registered,
        expiry_date=notes.day("expiry_date", _text(data, "expiryDate")),
        status_date=notes.day("status_date", _text(data, "statusDate")),
        collective=fields.collective_of(_text(data, "markKind")),
        source=Source(format="euipo", sha256=hashlib.sha256(answer.body).digest(), fetched_at=fetched_at, url=url),
    )
    finished = fields.finish(record, notes, status=status)
    if finished is None:
        raise Invalid("imports.office_answer", office="EM", status=answer.status)
    record = finished
    whole = replace(record.designations[0], status=record.status, since=registered)
    return replace(record, designations=(whole,))


def _classes(data: Mapping[str, Any], notes: Notes) -> tuple[Class, ...]:
    goods: dict[str, tuple[Text, ...]] = {}
    for each in _list(data, "goodsAndServices"):
        said = {}
        for one in _list(each, "description"):
            terms = [term for term in _items(one, "terms") if isinstance(term, str)]
            said[_text(one, "language")] = Text(text=folded("; ".join(terms)), lang=_text(one, "language").lower())
        kept = tuple(said[language] for language in _LANGUAGES if language in said)
        number = each.get("classNumber")
        if code := notes.nice(str(number) if type(number) is int else ""):
            goods[code] = kept or tuple(said.values())[:1]
    for number in _items(data, "niceClasses"):
        if type(number) is int and (code := notes.nice(str(number))):
            goods.setdefault(code, ())
    return tuple(Class(scheme="nice", code=code, goods=texts) for code, texts in goods.items())


def _party(data: Mapping[str, Any]) -> Party | None:
    name = _text(data, "name")
    if not name:
        return None
    number = _text(data, "identifier")
    country = _text(_mapping(data, "address"), "country").upper()
    return Party(
        name=name,
        country=country if re.fullmatch(r"[A-Z]{2}", country) else "",
        identifiers=(Identifier(scheme="office:EM", value=number),) if number else (),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body.decode())
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Invalid("imports.office_answer", office="EM", status=200) from None
    if not isinstance(data, dict):
        raise Invalid("imports.office_answer", office="EM", status=200)
    return data


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return folded(value) if isinstance(value, str) else ""


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _items(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value if isinstance(value, list) else []


def _list(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [each for each in _items(data, name) if isinstance(each, dict)]
