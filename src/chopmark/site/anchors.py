"""Those who can say that a checkpoint existed, as the settings name them; each an `AnchorService`.

    OwnTsa            the platform's own RFC 3161 authority, asked through its signer's socket
    Rfc3161           an external one, over https
    OpenTimestamps    a calendar, and through it the Bitcoin chain; pending for hours
    EvmChain          a transaction on an EVM chain; pending until enough blocks follow

Whatever comes back is checked here before it is kept. The libraries of the two chains (extra `anchors`) are imported
when such a service is used, and never otherwise. Nothing is redirected: an answer that sends elsewhere is a failure.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from chopmark.base import cbor, clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.ledger.anchor import (
    EVM,
    MAX_TOKEN,
    OPENTIMESTAMPS,
    RFC3161,
    Anchored,
    AnchorService,
    EvmProof,
    Pending,
    bitcoin_claims,
)
from chopmark.ledger.timestamp import Authority, Request, accept, authority_from_pem, request, verify_statement
from chopmark.ledger.tsa import answer
from chopmark.site.config import LOCAL_HOSTS, Config, Evm
from chopmark.site.tsa import QUERY_TYPE, REPLY_TYPE, SignerLink

if TYPE_CHECKING:
    from opentimestamps.core.timestamp import DetachedTimestampFile
    from web3 import Web3

OWN = "own"
TIMEOUT = 20.0  # seconds, for a whole answer
NONCE_BITS = 64
MOST_FEE = 500 * 10**9  # wei a unit of gas: what a lying node can make an anchor cost is bounded
GAS = 60_000  # most that a transaction to oneself with 32 bytes may use


def services(config: Config) -> list[AnchorService]:
    """Every authority of this home, the own one first if there is one.

    Raises:
        Invalid: `ledger.authority_malformed`; `site.anchor_file_missing`; `site.anchor_named_twice`.
    """
    found: list[AnchorService] = []
    own = config.home / "tsa" / "trusted" / "own.pem"
    if own.is_file():
        found.append(OwnTsa(folder=config.home / "tsa", authority=authority_from_pem(OWN, own.read_bytes(), own=True)))
    for tsa in config.tsas:
        pem = _trusted(config.home, tsa.name, Path(tsa.certificates))
        found.append(Rfc3161(url=tsa.url, authority=authority_from_pem(tsa.name, pem)))
    found += [OpenTimestamps(url=calendar) for calendar in config.ots_calendars]
    if config.evm is not None:
        found.append(EvmChain(config=config.evm, connect=_web3(config.evm)))
    names = [service.name for service in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid("site.anchor_named_twice", names=twice)
    return found


def _trusted(home: Path, name: str, source: Path) -> bytes:
    """The certificates of an authority; kept in the home for ever, since old tokens need those of their time."""
    folder = home / "tsa" / "trusted"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not source.is_file():
        raise Invalid("site.anchor_file_missing", name=name, path=str(source))
    new, kept = source.read_bytes(), folder / f"{name}.pem"
    before = kept.read_bytes() if kept.is_file() else b""
    known = set(authority_from_pem(name, before).certificates) if before else set()
    if not set(authority_from_pem(name, new).certificates) <= known:
        draft = kept.with_suffix(".new")
        draft.write_bytes(new.rstrip() + b"\n" + before)
        draft.replace(kept)
    return kept.read_bytes()


# ---- RFC 3161 --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTsa:
    """The platform's own authority. Its word adds a signed time, and no independent witness."""

    folder: Path
    authority: Authority
    now: Callable[[], datetime] = clock.now
    name: str = OWN
    kind: str = RFC3161
    own: bool = True
    daily: bool = False

    def submit(self, imprint: bytes) -> Anchored:
        """See `AnchorService.submit`; it goes through the same front as a stranger's request."""
        asked = _asked(imprint)
        return _stamped(answer(asked.encode(), SignerLink(self.folder)), asked, self.authority, self.now())

    def upgrade(self, imprint: bytes, state: bytes) -> Anchored:  # noqa: ARG002 (nothing was kept)
        """A token is there at once or not at all."""
        return self.submit(imprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfc3161:
    """An external authority."""

    url: str
    authority: Authority
    now: Callable[[], datetime] = clock.now
    kind: str = RFC3161
    own: bool = False
    daily: bool = False

    @property
    def name(self) -> str:
        """As the settings have it."""
        return self.authority.name

    def submit(self, imprint: bytes) -> Anchored:
        """See `AnchorService.submit`."""
        asked = _asked(imprint)
        reply = _call(self.name, "POST", self.url, content=asked.encode(), sends=QUERY_TYPE, takes=REPLY_TYPE)
        return _stamped(reply or b"", asked, self.authority, self.now())

    def upgrade(self, imprint: bytes, state: bytes) -> Anchored:  # noqa: ARG002 (nothing was kept)
        """A token is there at once or not at all."""
        return self.submit(imprint)


def _asked(imprint: bytes) -> Request:
    return request(imprint, nonce=secrets.randbits(NONCE_BITS))


def _stamped(reply: bytes, asked: Request, authority: Authority, at: datetime) -> Anchored:
    """What is kept has been verified as a stranger will verify it; of the data, only the digest is here."""
    token = accept(reply, asked)
    return Anchored(token=token, at=verify_statement(token, [authority], at).time)


# ---- OpenTimestamps --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTimestamps:
    """One calendar. It promises at once, and proves by a Bitcoin block hours later."""

    url: str
    kind: str = OPENTIMESTAMPS
    own: bool = False
    daily: bool = True

    @property
    def name(self) -> str:
        """The calendar's host."""
        return urlsplit(self.url).netloc

    def submit(self, imprint: bytes) -> Anchored | Pending:
        """See `AnchorService.submit`."""
        from opentimestamps.core.op import OpSHA256  # noqa: PLC0415 (an optional library)
        from opentimestamps.core.timestamp import DetachedTimestampFile  # noqa: PLC0415

        body = _call(self.name, "POST", f"{self.url}/digest", content=imprint, takes=_OTS_TYPE) or b""
        return self._settled(DetachedTimestampFile(OpSHA256(), self._read(body, imprint)), imprint)

    def upgrade(self, imprint: bytes, state: bytes) -> Anchored | Pending:
        """See `AnchorService.upgrade`: ask again for each promise that is not kept yet."""
        from opentimestamps.core.notary import PendingAttestation  # noqa: PLC0415 (an optional library)
        from opentimestamps.core.serialize import BytesDeserializationContext  # noqa: PLC0415
        from opentimestamps.core.timestamp import DetachedTimestampFile  # noqa: PLC0415

        proof = DetachedTimestampFile.deserialize(BytesDeserializationContext(state))
        promises = [
            (commitment, attestation.uri.rstrip("/"))
            for commitment, attestation in proof.timestamp.all_attestations()
            if isinstance(attestation, PendingAttestation) and self._may_ask(attestation.uri)
        ]
        for commitment, uri in promises:
            body = _call(self.name, "GET", f"{uri}/timestamp/{commitment.hex()}", takes=_OTS_TYPE, missing=True)
            if body is not None:
                _at(proof.timestamp, commitment).merge(self._read(body, commitment))
        return self._settled(proof, imprint)

    def _may_ask(self, uri: str) -> bool:
        """The calendar itself, or one of the public ones that it may hand over to; no other address from its answer."""
        from opentimestamps.calendar import DEFAULT_CALENDAR_WHITELIST  # noqa: PLC0415 (an optional library)

        return uri.rstrip("/") == self.url or uri in DEFAULT_CALENDAR_WHITELIST

    def _read(self, body: bytes, about: bytes) -> Any:  # noqa: ANN401 (the library has no types)
        from opentimestamps.core.serialize import (  # noqa: PLC0415 (an optional library)
            BytesDeserializationContext,
            DeserializationError,
        )
        from opentimestamps.core.timestamp import Timestamp  # noqa: PLC0415

        try:
            context = BytesDeserializationContext(body)
            timestamp = Timestamp.deserialize(context, about)
            context.assert_eof()
        except (DeserializationError, ValueError) as error:
            raise Invalid("ledger.anchor_malformed") from error
        return timestamp

    def _settled(self, proof: DetachedTimestampFile, imprint: bytes) -> Anchored | Pending:
        """Done as soon as a Bitcoin block is named, by the library and by our own reader of the same bytes."""
        from opentimestamps.core.serialize import BytesSerializationContext  # noqa: PLC0415 (an optional library)

        context = BytesSerializationContext()
        proof.serialize(context)
        token = context.getbytes()
        return Anchored(token=token, at=None) if bitcoin_claims(token, imprint) else Pending(state=token)


_OTS_TYPE = "application/vnd.opentimestamps.v1"


def _at(timestamp: Any, commitment: bytes) -> Any:  # noqa: ANN401 (the library has no types)
    """The place in a proof where a value stands."""
    waiting = [timestamp]
    while waiting:
        here = waiting.pop()
        if here.msg == commitment:
            return here
        waiting += here.ops.values()
    raise Invalid("ledger.anchor_malformed")


# ---- EVM -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmChain:
    """A transaction of an account to itself, with the imprint as its data.

    It is signed and kept before it is sent, so that a crash never pays twice.
    """

    config: Evm
    connect: Callable[[], Web3] = field(repr=False)
    kind: str = EVM
    own: bool = False
    daily: bool = True

    @property
    def name(self) -> str:
        """As the settings have it."""
        return self.config.name

    def submit(self, imprint: bytes) -> Pending:
        """Sign the transaction; nothing is sent before it is kept. See `AnchorService.submit`."""
        with _node(self.name):
            chain = self._chain()
            account = chain.eth.account.from_key(_private_key(self.name, Path(self.config.key_file)))
            base = chain.eth.get_block("latest").get("baseFeePerGas", 0)
            tip = min(chain.eth.max_priority_fee, MOST_FEE)
            signed = account.sign_transaction(
                {
                    "type": 2,
                    "chainId": self.config.chain,
                    "nonce": chain.eth.get_transaction_count(account.address, "pending"),
                    "maxPriorityFeePerGas": tip,
                    "maxFeePerGas": min(2 * base + tip, MOST_FEE),
                    "gas": GAS,
                    "to": account.address,
                    "value": 0,
                    "data": imprint,
                }
            )
        return Pending(state=cbor.encode([bytes(signed.raw_transaction), bytes(signed.hash)]))

    def upgrade(self, imprint: bytes, state: bytes) -> Anchored | Pending:
        """Send what was not sent, and wait until enough blocks follow. See `AnchorService.upgrade`."""
        from web3.exceptions import TransactionNotFound  # noqa: PLC0415 (an optional library)

        raw, name = cbor.decode(state)
        with _node(self.name):
            chain = self._chain()
            try:
                mined = chain.eth.get_transaction_receipt(name)
            except TransactionNotFound:
                self._send(chain, raw, name)
                return Pending(state=state)
            block = chain.eth.get_block(mined["blockNumber"])
            deep = chain.eth.block_number - mined["blockNumber"] >= self.config.confirmations
            if not deep or block["hash"] != mined["blockHash"]:
                return Pending(state=state)
        proof = EvmProof(
            chain=self.config.chain,
            transaction=raw,
            transaction_hash=name,
            block_hash=bytes(block["hash"]),
            number=block["number"],
            time=block["timestamp"],
            header=_header(block),
        )
        token = proof.encode()
        return Anchored(token=token, at=clock.from_seconds(EvmProof.parse(token, imprint).time))

    def _chain(self) -> Web3:
        chain = self.connect()
        if chain.eth.chain_id != self.config.chain:
            raise Unavailable("ledger.anchor_other_chain", name=self.name, chain=self.config.chain)
        return chain

    def _send(self, chain: Web3, raw: bytes, name: bytes) -> None:
        """Send it, again if need be; one whose number another transaction has used will never be mined."""
        from eth_account.typed_transactions.typed_transaction import TypedTransaction  # noqa: PLC0415 (optional)
        from eth_utils.address import to_checksum_address  # noqa: PLC0415 (optional)

        values = TypedTransaction.from_bytes(_hex_bytes(raw)).as_dict()
        used = chain.eth.get_transaction_count(to_checksum_address(values["to"]), "latest")
        if used > int(values["nonce"]):
            raise Refused("ledger.anchor_lost", name=self.name)
        if not _is_known(chain, name):
            chain.eth.send_raw_transaction(raw)


def _hex_bytes(raw: bytes) -> Any:  # noqa: ANN401 (the library's own kind of bytes)
    from hexbytes import HexBytes  # noqa: PLC0415 (an optional library)

    return HexBytes(raw)


def _is_known(chain: Web3, name: bytes) -> bool:
    from web3.exceptions import TransactionNotFound  # noqa: PLC0415 (an optional library)

    try:
        chain.eth.get_transaction(_hex_bytes(name))
    except TransactionNotFound:
        return False
    return True


def _web3(config: Evm) -> Callable[[], Web3]:
    def connect() -> Web3:
        from web3 import HTTPProvider, Web3  # noqa: PLC0415 (an optional library, and a large one)

        return Web3(HTTPProvider(config.rpc, request_kwargs={"timeout": TIMEOUT, "allow_redirects": False}))

    return connect


class _Node:
    """Around calls to a node: what its library raises for a node in trouble becomes `Unavailable`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        from web3.exceptions import Web3Exception  # noqa: PLC0415 (an optional library)

        if isinstance(error, Web3Exception | OSError):
            raise Unavailable("ledger.anchor_silent", name=self._name) from error


_node = _Node


def _private_key(name: str, path: Path) -> bytes:
    if not path.is_file():
        raise Unavailable("ledger.anchor_key_missing", name=name, path=str(path))
    if path.stat().st_mode & 0o077:
        raise Unavailable("ledger.anchor_key_open", name=name, path=str(path))
    try:
        key = bytes.fromhex(path.read_text("ascii").strip().removeprefix("0x"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Unavailable("ledger.anchor_key_missing", name=name, path=str(path))
    return key


_HEADER_FIELDS = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
)  # fmt: skip (as the Yellow Paper and later EIPs append them)

_BLOOM_SIZE = 256


def _header(block: Any) -> bytes:  # noqa: ANN401 (the library's own mapping)
    """The block's header in RLP, or nothing where the chain has fields that are not known here."""
    import rlp  # noqa: PLC0415 (comes with web3)
    from eth_utils.crypto import keccak  # noqa: PLC0415

    fields = []
    for name in _HEADER_FIELDS:
        value = block.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            value = bytes.fromhex(value.removeprefix("0x"))
        size = _BLOOM_SIZE if name == "logsBloom" else 0  # some nodes leave zeros out
        fields.append(value if isinstance(value, int) else bytes(value).rjust(size, b"\0"))
    header = rlp.encode(fields)
    return header if keccak(header) == bytes(block["hash"]) else b""


# ---- the way out -----------------------------------------------------------------------------------------------------


def _call(
    name: str,
    method: str,
    url: str,
    *,
    content: bytes | None = None,
    sends: str = "application/octet-stream",
    takes: str = "",
    missing: bool = False,
) -> bytes | None:
    """The body of a 200 answer, 64 KiB at most and within the time; None for a 404 where that is an answer.

    Raises:
        Unavailable: `ledger.anchor_silent`; `ledger.anchor_answered` for any other status.
    """
    headers = {"Accept": takes, **({} if content is None else {"Content-Type": sends})}
    until = time.monotonic() + TIMEOUT
    local = urlsplit(url).hostname in LOCAL_HOSTS
    try:
        with (
            httpx.Client(timeout=TIMEOUT / 2, trust_env=not local, follow_redirects=False) as client,
            client.stream(method, url, content=content, headers=headers) as reply,
        ):
            if reply.status_code == 404 and missing:
                return None
            if reply.status_code != 200:
                raise Unavailable("ledger.anchor_answered", name=name, status=reply.status_code)
            body = b""
            for chunk in reply.iter_bytes():
                body += chunk
                if len(body) > MAX_TOKEN or time.monotonic() > until:
                    raise Unavailable("ledger.anchor_silent", name=name)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable("ledger.anchor_silent", name=name) from error
    return body
