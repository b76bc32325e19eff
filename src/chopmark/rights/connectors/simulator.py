"""A stand-in for EUIPO's and the USPTO's interfaces on this machine, for trying things out and for tests.

It is no office. Its marks are made up; every answer bears the header `X-Chopmark-Simulator` and says so in its text,
and a record read from it bears `raw["simulated"]`, which nothing here accepts as an office's word. The shapes of its
answers, its refusals and its manners (tokens, keys, 401, 404, 429) are those that the offices document.

    python -m chopmark.rights.connectors.simulator 8099
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from chopmark.rights.connectors.door import SIMULATOR

SAYS = "simulator of Chopmark; made-up data; no office"
CLIENT_ID = "simulated-client"
CLIENT_SECRET = "simulated-secret"  # noqa: S105  of the simulator, worth nothing elsewhere
KEY = "simulated-key"
TOKEN = "simulated-token"  # noqa: S105  the same
LIFE = 7200  # seconds of a token, as EUIPO's

EUIPO_MARKS: Mapping[str, Mapping[str, Any]] = {
    "018123456": {
        "applicationNumber": "018123456",
        "applicationLanguage": "en",
        "secondLanguage": "de",
        "markKind": "INDIVIDUAL",
        "markFeature": "WORD",
        "markBasis": "EU_TRADEMARK",
        "niceClasses": [11, 25],
        "wordMarkSpecification": {"verbalElement": "RED LANTERN"},
        "applicants": [
            {"office": "EM", "identifier": "900001", "name": "Lantern Works GmbH", "address": {"country": "DE"}}
        ],
        "representatives": [{"office": "EM", "identifier": "900002", "name": "Kontor & Partner"}],
        "applicationDate": "2020-01-15",
        "registrationDate": "2020-06-01",
        "expiryDate": "2030-01-15",
        "status": "REGISTERED",
        "publications": [
            {"bulletinNumber": "2020/020", "publicationSection": "A.1", "publicationDate": "2020-02-01"},
            {"bulletinNumber": "2020/104", "publicationSection": "B.1", "publicationDate": "2020-06-03"},
        ],
        "goodsAndServices": [
            {
                "classNumber": 11,
                "description": [
                    {"language": "de", "terms": ["Laternen"]},
                    {"language": "en", "terms": ["Lanterns", "Lamps"]},
                ],
            },
            {"classNumber": 25, "description": [{"language": "fr", "terms": ["Vêtements"]}]},
        ],
    },
    "018123457": {
        "applicationNumber": "018123457",
        "markKind": "COLLECTIVE",
        "markFeature": "FIGURATIVE",
        "markBasis": "EU_TRADEMARK",
        "niceClasses": [16],
        "markImage": {"imageFormat": "JPG", "viennaClasses": ["13.01.06"]},
        "applicants": [{"office": "EM", "identifier": "900003", "name": "Lantern Makers' Association"}],
        "applicationDate": "2025-03-01",
        "status": "UNDER_EXAMINATION",
    },
}
US_MARKS: Mapping[str, Mapping[str, str]] = {
    "sn85000001": {"application": "85000001", "registration": "4000001", "mark": "RED LANTERN", "status": "700"},
    "sn88000002": {"application": "88000002", "registration": "", "mark": "BLUE LANTERN", "status": "630"},
}
_US_XML = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<!-- {says} -->\n'
    '<ns2:TrademarkTransaction xmlns:ns1="http://www.wipo.int/standards/XMLSchema/ST96/Common" '
    'xmlns:ns2="http://www.wipo.int/standards/XMLSchema/ST96/Trademark"><ns2:TrademarkTransactionBody>'
    "<ns2:TransactionContentBag><ns2:TransactionData><ns2:TrademarkBag><ns2:Trademark>"
    "<ns1:RegistrationOfficeCode>US</ns1:RegistrationOfficeCode><ns1:ApplicationNumber>"
    "<ns1:IPOfficeCode>US</ns1:IPOfficeCode>"
    "<ns1:ApplicationNumberText>{application}</ns1:ApplicationNumberText></ns1:ApplicationNumber>"
    "<ns1:RegistrationNumber>{registration}</ns1:RegistrationNumber>"
    "<ns2:ApplicationDate>2010-03-01-05:00</ns2:ApplicationDate>"
    "<ns2:MarkCurrentStatusCode>{status}</ns2:MarkCurrentStatusCode>"
    "<ns2:MarkCategory>Trademark</ns2:MarkCategory><ns2:MarkRepresentation><ns2:MarkReproduction>"
    "<ns2:WordMarkSpecification><ns2:MarkVerbalElementText>{mark}</ns2:MarkVerbalElementText>"
    "<ns2:MarkStandardCharacterIndicator>true</ns2:MarkStandardCharacterIndicator></ns2:WordMarkSpecification>"
    "</ns2:MarkReproduction></ns2:MarkRepresentation><ns2:GoodsServicesBag><ns2:GoodsServices>"
    "<ns2:ClassDescriptionBag><ns2:ClassDescription><ns2:ClassNumber>011</ns2:ClassNumber>"
    "<ns2:GoodsServicesDescriptionText>Lanterns</ns2:GoodsServicesDescriptionText></ns2:ClassDescription>"
    "</ns2:ClassDescriptionBag></ns2:GoodsServices></ns2:GoodsServicesBag><ns2:ApplicantBag>"
    '<ns2:Applicant ns1:sequenceNumber="30"><ns1:CommentText>ORIGINAL REGISTRANT</ns1:CommentText><ns1:Contact>'
    "<ns1:Name><ns1:EntityName>Lantern Inc.</ns1:EntityName></ns1:Name></ns1:Contact></ns2:Applicant>"
    "</ns2:ApplicantBag></ns2:Trademark></ns2:TrademarkBag></ns2:TransactionData></ns2:TransactionContentBag>"
    "</ns2:TrademarkTransactionBody></ns2:TrademarkTransaction>"
)


@dataclass(slots=True)
class Behaviour:
    """What the simulator is to do wrong next, and what it was asked.

    Attributes:
        statuses: answers with these statuses first, one a request.
        body: in place of the right body.
        headers: beside the right ones.
        asked: method, path and a few headers of each request.
    """

    statuses: list[int] = field(default_factory=list)
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)


def make(port: int = 0) -> tuple[ThreadingHTTPServer, Behaviour]:
    """A server on this machine only, not yet serving, and its behaviour."""
    behaviour = Behaviour()

    class Handler(_Handler):
        shown = behaviour

    return ThreadingHTTPServer(("127.0.0.1", port), Handler), behaviour


class _Handler(BaseHTTPRequestHandler):
    shown: Behaviour
    server_version = "ChopmarkSimulator"
    sys_version = ""
    timeout = 10

    def do_POST(self) -> None:
        """A token for the right secret."""
        length = min(int(self.headers.get("Content-Length") or 0), 65_536)
        form = parse_qs(self.rfile.read(length).decode("latin-1"))
        self.shown.asked.append(("POST", self.path))
        if self._misbehaved():
            return
        right = {"client_id": [CLIENT_ID], "client_secret": [CLIENT_SECRET], "grant_type": ["client_credentials"]}
        if self.path != "/oidc/accessToken" or any(form.get(name) != value for name, value in right.items()):
            self._problem(401, "unauthorized", "Cannot pass the security checks")
            return
        self._json({"access_token": TOKEN, "token_type": "bearer", "expires_in": LIFE, "scope": "uid"})

    def do_GET(self) -> None:
        """A mark, or what the office says where there is none."""
        self.shown.asked.append(("GET", self.path))
        if self._misbehaved():
            return
        if match := re.fullmatch(r"/trademark-search/trademarks/([0-9A-Z]{1,12})", self.path):
            self._euipo(match[1])
        elif match := re.fullmatch(r"/ts/cd/casestatus/((?:sn|rn)\d{5,8})/info\.xml", self.path):
            self._tsdr(match[1])
        else:
            self._problem(404, "not-found-error", "Resource not found")

    def _euipo(self, number: str) -> None:
        headers = self.headers
        if headers.get("Authorization") != f"Bearer {TOKEN}" or headers.get("X-IBM-Client-Id") != CLIENT_ID:
            self._problem(401, "unauthorized", "Cannot pass the security checks")
        elif number not in EUIPO_MARKS:
            self._problem(404, "not-found-error", f"Trademark with application number '{number}' not found")
        else:
            self._json({**EUIPO_MARKS[number], "_note": SAYS})

    def _tsdr(self, asked: str) -> None:
        if self.headers.get("USPTO-API-KEY") != KEY:
            self._problem(401, "unauthorized", "API key is missing or wrong")
            return
        by_registration = {f"rn{mark['registration']}": mark for mark in US_MARKS.values() if mark["registration"]}
        mark = US_MARKS.get(asked) or by_registration.get(asked)
        if mark is None:
            self._problem(404, "not-found-error", "No data found")
            return
        said = {name: escape(value) for name, value in mark.items()}
        self._send(200, "application/xml", _US_XML.format(says=SAYS, **said).encode())

    def _misbehaved(self) -> bool:
        if self.shown.statuses:
            status = self.shown.statuses.pop(0)
            if status != 200:
                self._problem(status, "general-error", "as told")
                return True
        if self.shown.body is not None and self.command == "GET":
            self._send(200, "application/json", self.shown.body)
            return True
        return False

    def _json(self, data: Mapping[str, Any]) -> None:
        self._send(200, "application/json", json.dumps(data, ensure_ascii=False).encode())

    def _problem(self, status: int, kind: str, detail: str) -> None:
        body = {"type": f"/problems/{kind}", "title": kind, "status": status, "detail": f"{detail} ({SAYS})"}
        self._send(status, "application/problem+json", json.dumps(body).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            SIMULATOR: SAYS,
            **self.shown.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Say nothing: tests and demos read standard error."""


def main() -> None:
    """Serve until interrupted, and print the operator's file that reaches it."""
    server, _ = make(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    sys.stdout.write(
        f'# {SAYS}\n[euipo]\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'
        f'api = "{address}/trademark-search"\ntoken = "{address}/oidc/accessToken"\n\n'
        f'[tsdr]\nkey = "{KEY}"\napi = "{address}"\n'
    )
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
