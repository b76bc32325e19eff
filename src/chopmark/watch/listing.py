"""A listing: what a marketplace says of one offer, cleaned and bounded, and its one schema.

Everything comes from outside and is kept as far as it can be: what is too long is cut, what cannot be read is left
out, and each such thing is a flag of the listing, so that a rule can see it. Only what has no identity (no item, no
seller, a version that is no number) is refused. Nothing here reads a file, a table or a clock.

    clean(raw, marketplace="demo")      a mapping from anywhere -> Listing
    encode(listing), decode(bytes)      its one form as bytes (canonical JSON), and back
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, Literal, get_args

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.evidence.capture import addresses
from chopmark.rights import territories as places

Flag = Literal[
    "title_cut",
    "title_empty",
    "description_cut",
    "broken_encoding",
    "bidi",
    "zero_width_flood",
    "control_characters",
    "too_many_pictures",
    "picture_address_refused",
    "price_missing",
    "price_negative",
    "price_unreadable",
    "currency_unknown",
    "gtin_wrong",
    "territory_unknown",
    "category_unknown",
    "url_refused",
    "time_unreadable",
    "stock_unreadable",
]

MAX_ID: Final = 200  # characters of item, seller, marketplace
MAX_TITLE: Final = 1_000  # characters that are matched; what follows is cut and flagged
MAX_DESCRIPTION: Final = 20_000
MAX_PICTURES: Final = 50
MAX_TERRITORIES: Final = 300
MAX_BATCH: Final = 1_000  # listings of one HTTP push
MAX_CATEGORY: Final = 500
MAX_BRAND: Final = 200
MAX_URL: Final = 2_000
MAX_CONTACTS: Final = 50
MAX_RAW: Final = 1_000_000  # characters of a text that are looked at before it is cut
MAX_NUMBER: Final = 2**53 - 1  # of versions, prices, stock: what canonical JSON can hold
FLOOD: Final = 8  # invisible characters in a row that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a listing.

    Attributes:
        url: where it is, empty when it came as bytes.
        sha256: of its bytes, empty until somebody has read them.
    """

    url: str = ""
    sha256: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One version of one offer.

    Attributes:
        marketplace: short name of the source, as registered (`demo`).
        item: the marketplace's own number of the offer; with `version` it is unique in the marketplace.
        version: counts the marketplace's edits; a higher one replaces a lower one.
        seller: the marketplace's own number of the seller.
        price: in the smallest unit of the currency (cents, fen); None when not said or not readable.
        currency: ISO 4217.
        category: the marketplace's own path, `Shoes > Running`.
        classes: Nice classes that the category stands for, by `text/data/classes.toml` or given.
        territories: where it is offered, ST.3 countries; empty when not said.
        gtin: 8 to 14 digits with a right check digit, else empty (and flagged).
        contact: phone numbers, messenger names and outside addresses found in text or given, normalised.
        listed_at, changed_at: aware UTC, None when not said.
        flags: what was wrong with it, sorted.
    """

    marketplace: str
    item: str
    version: int
    seller: str
    title: str
    description: str = ""
    brand: str = ""
    price: int | None = None
    currency: str = ""
    category: str = ""
    classes: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    gtin: str = ""
    stock: int | None = None
    url: str = ""
    contact: tuple[str, ...] = ()
    listed_at: datetime | None = None
    changed_at: datetime | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def key(self) -> tuple[str, str, int]:
        """Unique everywhere."""
        return self.marketplace, self.item, self.version


Row = Mapping[str, object]
Rows = Sequence[Row]


# ---- cleaning --------------------------------------------------------------------------------------------------------


Classes = Callable[[str], Iterable[str]]
"""A category to its Nice classes; none when it is not known."""


def clean(
    raw: Mapping[str, object], *, marketplace: str, classes_of: Classes | None = None, allow: Collection[str] = ()
) -> Listing:
    """A listing from what a marketplace sent.

    Names of the mapping are the attributes of `Listing`. `price` is in the currency's main unit (19.90, "1,299.00");
    `price_minor` is in the smallest one and goes first. `pictures` are addresses, or mappings with `url` and `sha256`.
    Times are aware datetimes, RFC 3339 text with an offset, or seconds since 1970; a time without an offset could be
    any of 26 and is left out. Lists may be text with commas. Other names are ignored.

    Args:
        allow: `host:port` whose addresses are kept though they are private, as the operator allows it.

    Raises:
        Invalid: `watch.listing_marketplace`, `watch.listing_item`, `watch.listing_seller`, `watch.listing_version`.
    """
    flags: set[Flag] = set()
    _must_be_marketplace(marketplace, raw.get("marketplace"))
    title = _text(raw.get("title"), MAX_TITLE, "title_cut", flags)
    if not title:
        flags.add("title_empty")
    currency = _currency(raw.get("currency"), flags)
    category = _category(raw.get("category"), flags)
    return Listing(
        marketplace=marketplace,
        item=_identity(raw.get("item"), "watch.listing_item"),
        version=_version(raw.get("version")),
        seller=_identity(raw.get("seller"), "watch.listing_seller"),
        title=title,
        description=_text(raw.get("description"), MAX_DESCRIPTION, "description_cut", flags),
        brand=_text(raw.get("brand"), MAX_BRAND, None, flags),
        price=_price(raw, currency, flags),
        currency=currency,
        category=category,
        classes=_classes(raw.get("classes"), category, classes_of, flags),
        territories=_territories(raw.get("territories"), flags),
        pictures=_pictures(raw.get("pictures"), flags, allow),
        gtin=_gtin(raw.get("gtin"), flags),
        stock=_stock(raw.get("stock"), flags),
        url=_url(raw.get("url"), "url_refused", flags, allow),
        contact=_contact(raw.get("contact"), flags),
        listed_at=_time(raw.get("listed_at"), flags),
        changed_at=_time(raw.get("changed_at"), flags),
        flags=tuple(sorted(flags)),
    )


_MARKETPLACE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def _must_be_marketplace(name: str, said: object) -> None:
    if not _MARKETPLACE.fullmatch(name) or said not in (None, "", name):
        raise Invalid("watch.listing_marketplace")


_UNSAFE_ID = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd\ud800-\udfff]")


def _identity(value: object, code: str) -> str:
    """A number that names something: never cut, never repaired, since another number would be another thing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= MAX_NUMBER else ""
    if not isinstance(value, str) or _UNSAFE_ID.search(value) or not 0 < len(text := value.strip()) <= MAX_ID:
        raise Invalid(code)
    return text


_DIGITS = re.compile(r"[0-9]{1,16}")


def _version(value: object) -> int:
    if value is None:
        return 1
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
        raise Invalid("watch.listing_version")
    return value


# What takes no room of its own, or only room: an attacker fills a title with it so that the mark lies behind the cut.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0"
)
_COMBINING = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_FLOOD = re.compile(f"[\\s{_INVISIBLE}{_COMBINING}\U000e0000-\U000e0fff]{{{FLOOD + 1},}}")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile("\\s+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _text(value: object, most: int, cut: Flag | None, flags: set[Flag]) -> str:
    """Text as it came, without what cannot be stored or would push the rest behind the cut; disguises stay."""
    text = _as_text(value, flags)
    kept = text[:MAX_RAW]
    if not (kept.isascii() and kept.isprintable()):
        kept = _without_floods(_readable(kept, flags), flags)
    kept = kept.strip()
    if cut and (len(kept) > most or len(text) > MAX_RAW):
        flags.add(cut)
    return kept[:most].rstrip()


def _as_text(value: object, flags: set[Flag]) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case int() | float() if not isinstance(value, bool) and not abs(value) > MAX_NUMBER:  # NaN is not greater
            return str(value)
        case _:
            flags.add("broken_encoding")
            return ""


def _readable(text: str, flags: set[Flag]) -> str:
    text = _SURROGATE.sub("\ufffd", text)
    if "\ufffd" in text:
        flags.add("broken_encoding")
    if _BIDI.search(text):
        flags.add("bidi")
    if _CONTROL.search(text):
        flags.add("control_characters")
        text = _CONTROL.sub(" ", text)
    return text


def _without_floods(text: str, flags: set[Flag]) -> str:
    """Runs of invisible or combining characters, shortened; a run of mere spaces becomes one and is no flood."""

    def shorter(run: re.Match[str]) -> str:
        if run.group().isspace():
            return " "
        flags.add("zero_width_flood")
        return run.group()[:FLOOD] + (" " if _SPACES.search(run.group(), FLOOD) else "")

    return _FLOOD.sub(shorter, text)


# ISO 4217, active codes of money; those without cents, and those with a thousand parts.
_CODES: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP "
    "CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD "
    "MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB "
    "RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD "
    "UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
_CODES_WITHOUT_CENTS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_CURRENCIES: Final = frozenset(_CODES.split())
_WHOLE: Final = frozenset(_CODES_WITHOUT_CENTS.split())
_THOUSANDTHS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_OTHER_NAMES: Final = {"RMB": "CNY", "CNH": "CNY"}


def minor_digits(currency: str) -> int:
    """Digits after the point that the smallest unit of a currency has (ISO 4217); 2 where it is not known."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def _currency(value: object, flags: set[Flag]) -> str:
    if value in (None, ""):
        return ""
    code = value.strip().upper() if isinstance(value, str) else ""
    code = _OTHER_NAMES.get(code, code)
    if code in _CURRENCIES:
        return code
    flags.add("currency_unknown")
    return ""


_AMOUNT = re.compile(r"(-?)[^0-9.,-]{0,6}(-?)([0-9][0-9.,]{0,24})[^0-9.,-]{0,6}")
_WITH_POINT = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?")
_WITH_COMMA = re.compile(r"([0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,([0-9]{1,2}))?")


def _price(raw: Mapping[str, object], currency: str, flags: set[Flag]) -> int | None:
    minor, main = raw.get("price_minor"), raw.get("price")
    if minor in (None, "") and main in (None, ""):
        flags.add("price_missing")
        return None
    if not currency:
        flags.add("currency_unknown")  # a number of nothing: kept, compared with nobody's
    amount = _amount(main) if minor in (None, "") else _whole(minor)
    if amount is None:
        flags.add("price_unreadable")
        return None
    if minor in (None, ""):
        amount = (amount.scaleb(minor_digits(currency))).quantize(Decimal(1), ROUND_HALF_UP)
    if amount < 0:
        flags.add("price_negative")
        return None
    if amount > MAX_NUMBER:
        flags.add("price_unreadable")
        return None
    return int(amount)


def _amount(value: object) -> Decimal | None:
    match value:
        case bool():
            return None
        case int() | float() | Decimal():
            found = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
            return found if found.is_finite() and abs(found) <= MAX_NUMBER else None
        case str():
            shape = _AMOUNT.fullmatch(unicodedata.normalize("NFKC", value[:60]).strip())
            if shape is None:
                return None
            found_in = _WITH_POINT.fullmatch(shape[3]) or _WITH_COMMA.fullmatch(shape[3])
            if found_in is None:
                return None
            whole, part = found_in[1].replace(",", "").replace(".", ""), found_in[2] or "0"
            return Decimal(("-" if shape[1] or shape[2] else "") + whole + "." + part)
        case _:
            return None


_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,16}")


def _whole(value: object) -> Decimal | None:
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_NUMBER:
        return None
    return Decimal(value)


def _category(value: object, flags: set[Flag]) -> str:
    if isinstance(value, list | tuple):
        value = " > ".join(each for each in value if isinstance(each, str))
    return _SPACES.sub(" ", _text(value, MAX_CATEGORY, None, flags))


_CLASS = re.compile(r"0?([1-9])|([1-3][0-9]|4[0-5])")


def _classes(value: object, category: str, classes_of: Classes | None, flags: set[Flag]) -> tuple[str, ...]:
    said = (str(each) if type(each) is int and 0 < each < 100 else each for each in _several(value))
    known = (_CLASS.fullmatch(each.strip()) for each in said if isinstance(each, str))
    given = {found[1] or found[2] for found in known if found}
    if not given and category and classes_of is not None:
        given = set(classes_of(category))
    if not given:
        flags.add("category_unknown")
    return tuple(sorted(given, key=int))


def _territories(value: object, flags: set[Flag]) -> tuple[str, ...]:
    found = set()
    for each in _several(value)[:MAX_TERRITORIES]:
        code = places.canonical(each[:20]) if isinstance(each, str) else ""
        if places.known(code):
            found.add(code)
        else:
            flags.add("territory_unknown")
    return tuple(sorted(found))


_SHA256 = re.compile("[0-9a-fA-F]{64}")


def pictures_of(value: object, *, allow: Collection[str] = ()) -> tuple[Picture, ...]:
    """The pictures that `clean` makes of what a marketplace sent."""
    return _pictures(value, set(), allow)


def _pictures(value: object, flags: set[Flag], allow: Collection[str]) -> tuple[Picture, ...]:
    given = [value] if isinstance(value, Mapping) else value.split() if isinstance(value, str) else _several(value)
    if len(given) > MAX_PICTURES:
        flags.add("too_many_pictures")
    found = []
    for each in given[:MAX_PICTURES]:
        said: Mapping[str, object] = each if isinstance(each, Mapping) else {"url": each}
        digest = said.get("sha256")
        if isinstance(digest, str) and _SHA256.fullmatch(digest):
            digest = bytes.fromhex(digest)
        if not isinstance(digest, bytes) or len(digest) != 32:
            digest = b""
        url = _url(said.get("url"), "picture_address_refused", flags, allow)
        if url or digest:
            found.append(Picture(url=url, sha256=digest))
    return tuple(found)


_ADDRESS = re.compile(
    r"(?i:https?)://(?P<host>\[[0-9a-fA-F:.]{2,45}\]|[^\s/?#@:\[\]\\]{1,253})(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?#][^\s\\]*)?"
)
_NUMBERS = re.compile(r"(?i:(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}\.?)")
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion", "invalid", "test", "example")


def address_is_public(url: str) -> bool:
    """Whether an address has the form of a page or file on the public Internet: http or https, a public host and port.

    Names are not resolved here: who fetches checks the address that a name leads to, each time.
    """
    shape = _ADDRESS.fullmatch(url) if len(url) <= MAX_URL and url.isprintable() else None
    if shape is None or addresses.port_refusal(int(shape["port"] or 443)):
        return False
    host = unicodedata.normalize("NFKC", shape["host"]).lower().rstrip(".")
    if host.startswith("["):
        literal = addresses.parse(host[1:-1])
        return literal is not None and addresses.refusal(literal) is None
    if _NUMBERS.fullmatch(host):  # 127.1, 0x7f000001 and 2130706433 are all this machine to one library or another
        literal = addresses.parse(host)
        return literal is not None and addresses.refusal(literal) is None
    return "." in host and not any(host == each or host.endswith("." + each) for each in _INSIDE)


def address_is_allowed(url: str, allow: Collection[str]) -> bool:
    """Whether the operator opened this host and port, as it is written, though it is private."""
    shape = _ADDRESS.fullmatch(url) if allow and len(url) <= MAX_URL and url.isprintable() else None
    if shape is None:
        return False
    port = shape["port"] or ("443" if url[:6].lower() == "https:" else "80")
    return f"{shape['host'].lower()}:{port}" in allow


def _url(value: object, refused: Flag, flags: set[Flag], allow: Collection[str]) -> str:
    if value in (None, ""):
        return ""
    if isinstance(value, str) and (address_is_public(value.strip()) or address_is_allowed(value.strip(), allow)):
        return value.strip()
    flags.add(refused)
    return ""


_GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")


def gtin_is_right(gtin: str) -> bool:
    """Whether 8, 12, 13 or 14 digits end with their check digit (GS1 General Specifications 7.9)."""
    if not _GTIN.fullmatch(gtin) or not gtin.strip("0"):
        return False
    weighted = (int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(gtin[:-1])))
    return (sum(weighted) + int(gtin[-1])) % 10 == 0


def gtin_of(value: object) -> str:
    """The GTIN that `clean` makes of what a marketplace sent."""
    return _gtin(value, set())


def _gtin(value: object, flags: set[Flag]) -> str:
    if value in (None, ""):
        return ""
    if isinstance(value, int) and abs(value) <= MAX_NUMBER:
        value = str(value)
    digits = re.sub(r"[\s-]", "", value[:40]) if isinstance(value, str) else ""
    if gtin_is_right(digits):
        return digits
    flags.add("gtin_wrong")
    return ""


def _stock(value: object, flags: set[Flag]) -> int | None:
    if value in (None, ""):
        return None
    amount = _whole(value)
    if amount is None or amount < 0:
        flags.add("stock_unreadable")
        return None
    return int(amount)


def _contact(value: object, flags: set[Flag]) -> tuple[str, ...]:
    said = (_SPACES.sub(" ", _text(each, MAX_ID, None, flags)).lower() for each in _several(value)[:MAX_CONTACTS])
    return tuple(sorted({each for each in said if each}))


_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


def _time(value: object, flags: set[Flag]) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        found = _moment_of(value)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or found.tzinfo is None or not _EARLIEST <= found <= _LATEST:
        flags.add("time_unreadable")
        return None
    return found.astimezone(UTC)


def _moment_of(value: object) -> datetime | None:
    match value:
        case datetime():
            return value
        case str():
            return datetime.fromisoformat(value.strip()[:40])
        case int() | float() if not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        case _:
            return None


def _several(value: object) -> Sequence[Any]:
    """A list from a list, or from text with commas; nothing from anything else."""
    if isinstance(value, str):
        return [each.strip() for each in value.split(",", MAX_TERRITORIES) if each.strip()]
    return list(value) if isinstance(value, list | tuple | set | frozenset) else []


# ---- one form as bytes -----------------------------------------------------------------------------------------------


def encode(listing: Listing) -> bytes:
    """The listing as canonical JSON (RFC 8785): what an inbox keeps and a digest is taken of."""
    return jcs.encode(
        {
            **{name: getattr(listing, name) for name in _PLAIN},
            **{name: list(getattr(listing, name)) for name in _LISTS},
            "pictures": [{"url": each.url, "sha256": each.sha256.hex()} for each in listing.pictures],
            **{name: _moment(getattr(listing, name)) for name in _TIMES},
        }
    )


_PLAIN = (
    "marketplace", "item", "version", "seller", "title", "description", "brand", "price", "currency", "category",
    "gtin", "stock", "url",
)  # fmt: skip
_LISTS = ("classes", "territories", "contact", "flags")
_TIMES = ("listed_at", "changed_at")


def decode(data: bytes, *, sha256: bytes = b"") -> Listing:
    """Read what `encode` made, and nothing else.

    Args:
        sha256: of bytes that `encode` made, kept beside them. Where it is right, the bytes are read without being made
            once more to see that they are these.

    Raises:
        Invalid: `watch.listing_malformed`; `base.json_malformed`.
    """
    known = bool(sha256) and hashlib.sha256(data).digest() == sha256
    try:
        said = json.loads(data) if known else jcs.decode(data)
        fields: dict[str, Any] = {name: said[name] for name in _PLAIN}
        fields |= {name: tuple(said[name]) for name in _LISTS}
        fields |= {name: None if said[name] is None else datetime.fromisoformat(said[name]) for name in _TIMES}
        pictures = tuple(Picture(url=each["url"], sha256=bytes.fromhex(each["sha256"])) for each in said["pictures"])
        found = Listing(**fields, pictures=pictures)
        if not known and (not _is_sound(found) or encode(found) != data):
            raise Invalid("watch.listing_malformed")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid("watch.listing_malformed") from error
    return found


_FLAGS = frozenset(get_args(Flag))


def _is_sound(listing: Listing) -> bool:
    """Whether the values have the kinds that `Listing` promises; cleaning them again changes nothing of substance."""
    texts = [getattr(listing, name) for name in _PLAIN if name not in {"version", "price", "stock"}]
    texts += [*listing.classes, *listing.territories, *listing.contact, *(each.url for each in listing.pictures)]
    numbers: list[object] = [listing.version, listing.price or 0, listing.stock or 0]
    return (
        all(isinstance(each, str) for each in texts)
        and all(type(each) is int and each >= 0 for each in numbers)
        and bool(_MARKETPLACE.fullmatch(listing.marketplace) and listing.item and listing.seller)
        and set(listing.flags) <= _FLAGS
        and len(listing.title) <= MAX_TITLE
        and len(listing.description) <= MAX_DESCRIPTION
        and len(listing.pictures) <= MAX_PICTURES
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")
