"""Records brought in, per CPU-second of one thread: read from each kind of file, kept as an office's, filed as rights.

    ./run bench rights_import [--json] [--quick]      (--quick: a tenth of the records)

Reading is measured over bytes in memory to `Record` values; its peer is lxml alone building the tree of the same bytes
(csv, json: the standard library's own parsing), in the same run, so that the ratio says what reading costs beside
parsing. The files are made up here; where the shared reference data lies beside the repository, the USPTO's own full
answers with their whole history are measured too. Keeping and filing run against a fresh home with the real settings
(SQLite, synchronous=FULL): filing deposits every event on the ledger's outbox, signed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

QUICK = "--quick" in sys.argv[1:]
SECONDS = 0.2 if QUICK else 1.0
RECORDS = 50 if QUICK else 500
KEPT = 400 if QUICK else 4000
FILED = 100 if QUICK else 1000
NAMESPACES = (
    'xmlns:tm="http://www.wipo.int/standards/XMLSchema/ST96/Trademark" '
    'xmlns:com="http://www.wipo.int/standards/XMLSchema/ST96/Common"'
)


def main() -> None:
    """Print a table, or one JSON object a line."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHOPMARK_HOME"] = str(Path(folder) / "home")
        os.environ["DJANGO_SETTINGS_MODULE"] = "chopmark.site.settings"
        lines = [*reading(), *storing()]
    for line in lines:
        if "--json" in sys.argv:
            print(json.dumps(line))
        else:
            peer = f"{line['peer_value']:>10,.0f}  {line['ratio']:>6.2f}  {line['peer']}" if line["peer"] else ""
            print(f"{line['name']:<64}{line['value']:>10,.0f} {line['unit']:<10}{peer}")


def reading() -> list[dict[str, object]]:
    """Files in memory to records."""
    from lxml import etree  # noqa: PLC0415  after the environment is set
    from world.clearing_house import NOW, ClearingHouse  # noqa: PLC0415

    from chopmark.rights.imports import read  # noqa: PLC0415

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    lines = []
    st96, st66 = _st96(RECORDS), _st66(RECORDS)
    for name, data in (("ST.96", st96), ("ST.66", st66)):
        peer = _rate(lambda data=data: etree.fromstring(data, parser), RECORDS)
        rate = _rate(lambda data=data: read(data), RECORDS)
        lines.append(_line(f"read {name}, {len(data) // RECORDS} bytes a mark", rate, "lxml, the tree alone", peer))
    for file, data in _recorded():
        peer = _rate(lambda data=data: etree.fromstring(data, parser), 1)
        rate = _rate(lambda data=data: read(data), 1)
        lines.append(_line(f"read TSDR {file}, {len(data)} bytes", rate, "lxml, the tree alone", peer))
    table = _table(RECORDS)
    peer = _rate(lambda: list(csv.reader(io.StringIO(table.decode()))), RECORDS)
    lines.append(_line("read CSV", _rate(lambda: read(table, "a.csv"), RECORDS), "csv alone", peer))
    snapshot = _snapshot(RECORDS)
    peer = _rate(lambda: [json.loads(line) for line in snapshot.splitlines()], RECORDS)
    lines.append(_line("read snapshot in lines", _rate(lambda: read(snapshot), RECORDS), "json alone", peer))
    house = ClearingHouse.made()
    mark, trust = house.sign(), house.trust()
    peer = _rate(lambda: etree.fromstring(mark, parser), 1)
    lines.append(
        _line("judge signed mark", _rate(lambda: read(mark, trust=trust, at=NOW), 1), "lxml, the tree alone", peer)
    )
    return lines


def storing() -> list[dict[str, object]]:
    """An office's records kept, and rights filed with their events deposited, in a fresh home."""
    import django  # noqa: PLC0415  after the environment is set

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415  after set-up
    from world.pages import PageWorld  # noqa: PLC0415  the same

    from chopmark.rights.actions.bring_in import bring_in, bring_in_office  # noqa: PLC0415  the same
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415  the same

    home = Path(os.environ["CHOPMARK_HOME"])
    home.mkdir(exist_ok=True)
    call_command("migrate", verbosity=0)
    world = PageWorld.made(home)
    mei = world.person("Mei Lan")
    fetched = datetime(2026, 11, 1, tzinfo=UTC)
    data = _st96(KEPT)
    started, wall = time.process_time(), time.perf_counter()
    kept = bring_in_office(data, "office.xml", operator=Operator(), at=world.now(), fetched_at=fetched)
    lines = [_stored(f"keep {kept.kept} records of an office's ST.96", kept.kept, started, wall)]
    table = _table(FILED)
    started, wall = time.process_time(), time.perf_counter()
    filed = bring_in(table, "marks.csv", by=mei.actor, at=world.now(), dry_run=True)
    lines.append(
        _stored(f"look at {filed.count('good')} rights of a CSV (dry run)", filed.count("good"), started, wall)
    )
    started, wall = time.process_time(), time.perf_counter()
    filed = bring_in(table, "marks.csv", by=mei.actor, at=world.now(), dry_run=False)
    lines.append(
        _stored(f"file {filed.count('filed')} rights of a CSV, two deposits each", filed.count("filed"), started, wall)
    )
    return lines


def _stored(name: str, count: int, started: float, wall: float) -> dict[str, object]:
    cpu, seconds = time.process_time() - started, time.perf_counter() - wall
    return _line(f"{name} ({count / seconds:,.0f} a second of wall time)", count / cpu)


def _line(name: str, value: float, peer: str = "", peer_value: float = 0.0) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 1),
        "unit": "1/CPU-s",
        "peer": peer,
        "peer_value": round(peer_value, 1),
        "ratio": round(value / peer_value, 3) if peer_value else 0.0,
    }


def _rate(once: Callable[[], object], records: int) -> float:
    """Records a CPU-second."""
    once()
    done, started = 0, time.process_time()
    while (spent := time.process_time() - started) < SECONDS:
        once()
        done += records
    return done / spent


def _st96(count: int) -> bytes:
    marks = "".join(
        f"<tm:Trademark><com:RegistrationOfficeCode>US</com:RegistrationOfficeCode><com:ApplicationNumber>"
        f"<com:ApplicationNumberText>{85_000_000 + number}</com:ApplicationNumberText></com:ApplicationNumber>"
        f"<com:RegistrationNumber>{4_000_000 + number}</com:RegistrationNumber>"
        "<tm:ApplicationDate>2011-05-31-04:00</tm:ApplicationDate>"
        "<com:RegistrationDate>2013-01-29</com:RegistrationDate>"
        "<tm:MarkCurrentStatusCode>700</tm:MarkCurrentStatusCode>"
        "<tm:MarkCurrentStatusDate>2013-01-29</tm:MarkCurrentStatusDate><tm:MarkCategory>Trademark</tm:MarkCategory>"
        "<tm:MarkRepresentation><tm:MarkReproduction><tm:WordMarkSpecification>"
        f"<tm:MarkVerbalElementText>LANTERN {number}</tm:MarkVerbalElementText></tm:WordMarkSpecification>"
        "</tm:MarkReproduction></tm:MarkRepresentation><tm:GoodsServicesBag><tm:GoodsServices><tm:ClassDescriptionBag>"
        "<tm:ClassDescription><tm:ClassNumber>011</tm:ClassNumber><tm:GoodsServicesDescriptionText>Lanterns, lamps and "
        "parts of them</tm:GoodsServicesDescriptionText></tm:ClassDescription></tm:ClassDescriptionBag>"
        "</tm:GoodsServices></tm:GoodsServicesBag><tm:ApplicantBag><tm:Applicant><com:Contact><com:Name>"
        "<com:EntityName>Lantern Inc.</com:EntityName></com:Name><com:PostalAddressBag><com:PostalAddress>"
        "<com:PostalStructuredAddress><com:CountryCode>US</com:CountryCode></com:PostalStructuredAddress>"
        "</com:PostalAddress></com:PostalAddressBag></com:Contact></tm:Applicant></tm:ApplicantBag></tm:Trademark>"
        for number in range(count)
    )
    return f"<tm:TrademarkBag {NAMESPACES}>{marks}</tm:TrademarkBag>".encode()


def _st66(count: int) -> bytes:
    marks = "".join(
        f"<TradeMark><RegistrationOfficeCode>EM</RegistrationOfficeCode>"
        f"<ApplicationNumber>{18_000_000 + number:09d}</ApplicationNumber>"
        f"<RegistrationNumber>{18_000_000 + number:09d}</RegistrationNumber>"
        "<ApplicationDate>2020-01-15</ApplicationDate><RegistrationDate>2020-06-01</RegistrationDate>"
        "<ExpiryDate>2030-01-15</ExpiryDate><MarkCurrentStatusCode>Registered</MarkCurrentStatusCode>"
        "<KindMark>Individual</KindMark><MarkFeature>Word</MarkFeature><WordMarkSpecification>"
        f"<MarkVerbalElementText>LANTERN {number}</MarkVerbalElementText></WordMarkSpecification>"
        "<GoodsServicesDetails><GoodsServices><ClassDescriptionDetails><ClassDescription><ClassNumber>11</ClassNumber>"
        '<GoodsServicesDescription languageCode="en">Lanterns, lamps and parts of them</GoodsServicesDescription>'
        "</ClassDescription></ClassDescriptionDetails></GoodsServices></GoodsServicesDetails><ApplicantDetails>"
        "<Applicant><ApplicantAddressBook><FormattedNameAddress><Name><FreeFormatName><FreeFormatNameDetails>"
        "<FreeFormatNameLine>Lantern GmbH</FreeFormatNameLine></FreeFormatNameDetails></FreeFormatName></Name>"
        "</FormattedNameAddress></ApplicantAddressBook></Applicant></ApplicantDetails></TradeMark>"
        for number in range(count)
    )
    return (
        '<Transaction xmlns="http://www.wipo.int/standards/XMLSchema/trademarks"><TradeMarkTransactionBody>'
        "<TransactionContentDetails><TransactionData><TradeMarkDetails>"
        f"{marks}</TradeMarkDetails></TransactionData></TransactionContentDetails></TradeMarkTransactionBody>"
        "</Transaction>"
    ).encode()


def _table(count: int) -> bytes:
    rows = (
        f"红灯笼{number},EM,{18_000_000 + number:09d},宁波灯笼有限公司,11,2020-06-01,2030-01-15,Registered\n"
        for number in range(count)
    )
    return ("商标,注册局,注册号,权利人,类别,注册日期,有效期至,状态\n" + "".join(rows)).encode()


def _snapshot(count: int) -> bytes:
    from chopmark.rights import encoding  # noqa: PLC0415  after the environment is set
    from chopmark.rights.imports import read  # noqa: PLC0415  the same

    records = read(_st66(count)).records
    head = {"snapshot": 1, "office": "EM", "fetched_at": "2026-11-01T00:00:00Z", "records": count}
    lines = [head, *(encoding.encode(record) for record in records)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _recorded() -> list[tuple[str, bytes]]:
    """The USPTO's own answers, where they are on this machine."""
    folder = Path(os.environ.get("CHOPMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    files = sorted((folder / "tsdr-st66-st96" / "test" / "testdata").glob("rn2178784-*.xml"))
    return [(file.stem, file.read_bytes()) for file in files]


if __name__ == "__main__":
    main()
