"""Work: what a worker does for captures and bundles that somebody asked for, one job at a time.

    work(tools, clock)      takes the next job that is due and sees it through; what it was, or None

A job is a row. It is taken by compare and swap for `LEASE`; whoever finds it running after that takes it over. A worker
that begins gives back what it had when it died (`give_back`). What is done twice is done once:

| it died                              | what the next try finds                                                  |
|--------------------------------------|--------------------------------------------------------------------------|
| before a page's bytes were there      | nothing: the page is captured again, three times at most                |
| after                                | the engine's folder: what is in it becomes the item, marked partial      |
| after a capture's end                | its `capture.json`: the item, whole                                      |
| after files were kept, without folder | their deposits: they become the item, marked partial                    |
| before a bundle's file was stored    | its custody line and the log's deposit, there once; it is built again    |
| after                                | the stored file under its digest: only its deposit and last line follow  |

A capture's files are kept and deposited as the engine hands them over: all of them, then its log and description.
"""

from __future__ import annotations

import mimetypes
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from uuid import UUID, uuid4

import chopmark
from chopmark.base import clock as clocks
from chopmark.base.digests import Digests, digests_of
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import custody, matters, wiring
from chopmark.evidence.actions.bundle import keep_bundle
from chopmark.evidence.actions.deposit import NewDeposit, deposit
from chopmark.evidence.actions.heads import head_title
from chopmark.evidence.actions.matter import bundle_names, next_ordinal, record_item
from chopmark.evidence.actions.record import LEASE, WORKER, changing, record
from chopmark.evidence.actions.upload import LIFE
from chopmark.evidence.blobs import digests_of_file
from chopmark.evidence.bundle import manifest as paper
from chopmark.evidence.bundle.asic import plain_type
from chopmark.evidence.bundle.build import Part, Sealer, Stamper, build
from chopmark.evidence.bundle.readme import README_NAME, README_TYPE, readme
from chopmark.evidence.certificate.bundle import ReceiptFacts, bundle_certificate
from chopmark.evidence.custody import Fact
from chopmark.evidence.models import Bundle, Capture, Deposit, Item, ItemFile, Matter, Redaction, Upload
from chopmark.evidence.queries import receipt_of_row
from chopmark.evidence.verify import Verdict, verify
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name

MAX_TRIES = 3  # of a capture; of a bundle that fails for a passing reason more, see PATIENCE
PATIENCE = timedelta(hours=24)  # for receipts and authorities, before a bundle is given up
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=5)
MAX_STEPS = 200
RECEIPT_TYPE = "application/cose"
JSONL = "application/jsonl"


class FullSeal(Sealer, Protocol):
    """The platform's seal."""

    @property
    def operator(self) -> str:
        """Whose it is."""

    def sign_pdf(self, pdf: bytes) -> bytes:
        """The PDF, signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFile:
    """One file that a capture made.

    Attributes:
        role: `primary`, `rendition`, `log`, `token`, ...
        derived_from, over: names of other files, or empty.
    """

    path: Path
    media_type: str
    role: str = "rendition"
    derived_from: str = ""
    over: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What came of a capture.

    Attributes:
        result: the members of the manifest's `capture`, with times as RFC 3339 text and digests in hexadecimal.
        complete: whether it came to its end; else it is kept as partial.
        trouble: why it did not.
    """

    files: tuple[MadeFile, ...]
    result: Mapping[str, Any]
    complete: bool
    trouble: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureJob:
    """What the tool is to capture, and what it calls on the way.

    Attributes:
        out: an empty folder for its files.
        commands: where an operator's commands arrive (`capture.commands.Folder`).
        step: told each step: code of its sentence and facts.
        stamp: an RFC 3161 token over a SHA-256, from the first authority that answers.
        deposit: keeps files and deposits their digests at once; numbers of the deposits, in order.
    """

    url: str
    mode: str
    actor: str
    out: Path
    commands: Path
    step: Callable[[str, Mapping[str, str | int]], None]
    stamp: Callable[[bytes], bytes]
    deposit: Callable[[Sequence[Path]], list[str]]


class CaptureTool(Protocol):
    """The capture engine."""

    def salvage(self, job: CaptureJob) -> Captured | None:
        """Make a capture of what a killed worker left in `job.out`; None when none of the page's bytes are there.

        Raises:
            PlatformError: when it could not be finished.
        """

    def __call__(self, job: CaptureJob) -> Captured:
        """Capture a page.

        Raises:
            PlatformError: when nothing could be captured; `Unavailable` when trying again may help.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a worker works with.

    Attributes:
        name: of the worker; jobs that it left when it died are found by it.
        verifier: `verify.html` with this platform's trust in it; empty where the page was not built.
        trust: files of `trust/`, path to content.
        capture: None where this machine has no browser.
    """

    name: str
    seal: FullSeal
    stampers: tuple[Stamper, ...]
    verifier: bytes
    trust: Mapping[str, bytes]
    capture: CaptureTool | None


def work(tools: Tools, clock: Callable[[], datetime]) -> str | None:
    """See the next due job through; its number, or None when none is due.

    Raises:
        Unavailable: `ledger.database_unavailable`.
    """
    with wiring.answering():
        capture = _take(Capture, tools.name, clock()) if tools.capture is not None else None
        if isinstance(capture, Capture):
            _capture(capture, tools, clock)
            return capture.number
        bundle = _take(Bundle, tools.name, clock())
        if isinstance(bundle, Bundle):
            _bundle(bundle, tools, clock)
            return bundle.number
    return None


def give_back(name: str, at: datetime) -> int:
    """Make the jobs due that a worker of this name had when it died; how many. Call it when no other is alive."""
    mine = {"state": "running", "taken_by": name}
    return sum(kind.objects.filter(**mine).update(taken_until=at) for kind in (Capture, Bundle))


def _take(kind: type[Capture | Bundle], name: str, at: datetime) -> Capture | Bundle | None:
    """A due job, now this worker's."""
    queued = kind.objects.filter(state="queued", not_before__lte=at).order_by("not_before", "number")
    left = kind.objects.filter(state="running", taken_until__lte=at).order_by("taken_until")
    for row in (*left.select_related("matter")[:5], *queued.select_related("matter")[:5]):
        mine = kind.objects.filter(pk=row.pk, state=row.state, tries=row.tries, taken_until=row.taken_until)
        if mine.update(state="running", tries=row.tries + 1, taken_by=name, taken_until=at + LEASE):
            row.refresh_from_db()
            return row
    return None


def _mine(row: Capture | Bundle) -> Any:  # noqa: ANN401 (a queryset of one of two models)
    """The row, as long as it is this try's: whoever took it over is not disturbed."""
    return type(row).objects.filter(pk=row.pk, state="running", tries=row.tries, taken_by=row.taken_by)


def _note(
    row: Capture | Bundle,
    step: str,
    state: str,
    clock: Callable[[], datetime],
    facts: Mapping[str, str | int] | None = None,
) -> None:
    """Show a step, and keep the job for a while longer."""
    at = clock()
    told = {"at": clocks.to_text(at), "step": step[:64], "state": state, "facts": dict(facts or {})}
    row.steps = [*row.steps, told][-MAX_STEPS:]
    _mine(row).update(steps=row.steps, taken_until=at + LEASE)


def _for(row: Capture | Bundle) -> Actor:
    """Whom the worker acts for: the organisation, in the place of whoever asked."""
    return Actor(
        user_id=row.made_by,
        organisation_id=row.organisation,
        organisation_name=organisation_name(row.organisation) or "–",
        role="depositor",
    )


# ---- captures --------------------------------------------------------------------------------------------------------


def _capture(row: Capture, tools: Tools, clock: Callable[[], datetime]) -> None:
    if row.started_at is None:
        row.started_at = clock()
        _mine(row).update(started_at=row.started_at)
    if row.tries > 1 and _saved(row, tools, clock):
        return
    if row.tries > MAX_TRIES:
        _finish_capture(row, None, Refused("matter.worker_died"), clock)
        return
    folder = wiring.captures() / f"{row.number}-{row.tries}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    job = _job(row, folder, tools, clock)
    try:
        if tools.capture is None:
            raise Unavailable("matter.no_browser")
        made: Captured | None = tools.capture(job)
        trouble: PlatformError | None = None
    except PlatformError as error:
        made, trouble = None, error
    if made is None and isinstance(trouble, Unavailable) and not row.kept and row.tries < MAX_TRIES:
        _again(row, trouble, clock)
    else:
        _finish_capture(row, made, trouble, clock)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(job.commands, ignore_errors=True)  # may hold a password that was typed; the record holds the steps


def _saved(row: Capture, tools: Tools, clock: Callable[[], datetime]) -> bool:
    """Whether what an earlier try left became the capture: its folder, or else the files that it had kept."""
    folders = [wiring.captures() / f"{row.number}-{number}" for number in range(row.tries - 1, 0, -1)]
    left = next((each for each in folders if each.is_dir()), None)
    made: Captured | None = None
    trouble: PlatformError | None = None
    if left is not None and tools.capture is not None:
        try:
            made = tools.capture.salvage(_job(row, left, tools, clock))
        except PlatformError as error:
            trouble = error
    if made is not None or row.kept:
        lost = None if made is not None else trouble or Refused("matter.worker_died")
        _finish_capture(row, made, lost, clock)
    for each in (*folders, wiring.commands(row.number)):  # what an operator told a browser that is gone, too
        shutil.rmtree(each, ignore_errors=True)
    return made is not None or bool(row.kept)


def _job(row: Capture, folder: Path, tools: Tools, clock: Callable[[], datetime]) -> CaptureJob:
    return CaptureJob(
        url=row.url,
        mode=row.mode,
        actor=f"{row.number}",
        out=folder,
        commands=wiring.commands(row.number),
        step=lambda code, facts: _note(row, code, "done", clock, facts),
        stamp=lambda sha256: _stamp(tools.stampers, sha256),
        deposit=lambda files: _keep_files(row, files, clock),
    )


def _stamp(stampers: Sequence[Stamper], sha256: bytes) -> bytes:
    """A token from the first authority that answers, independent ones first.

    Raises:
        Unavailable: `matter.no_authority` where there is none; the last one's trouble when none answers.
    """
    trouble: PlatformError = Unavailable("matter.no_authority")
    for each in sorted(stampers, key=lambda each: each.own):
        try:
            return each.token(sha256)
        except PlatformError as error:
            trouble = error
    raise trouble


def _keep_files(row: Capture, files: Sequence[Path], clock: Callable[[], datetime]) -> list[str]:
    """Keep files of a capture and deposit them, now; they are the item's even if the worker dies in the next line."""
    if not files:
        return []
    by, at = _for(row), clock()
    drafts = [
        NewDeposit(
            kind="evidence",
            upload=_stored(path, by, at),
            title=row.title_en,
            file_name=path.name,
            media_type=_type_of(path),
            source="worker",
        )
        for path in files
    ]
    numbers: dict[str, str] = {}
    trouble: PlatformError | None = None
    for path, made in zip(files, deposit(drafts, by=by, at=at), strict=True):
        if isinstance(made, PlatformError):
            trouble = made
        else:
            numbers[path.name] = made.number
    row.kept = [
        *(each for each in row.kept if each["name"] not in numbers),
        *({"name": name, "deposit": number} for name, number in numbers.items()),
    ]
    _mine(row).update(kept=row.kept)
    if trouble is not None:
        raise trouble
    return list(numbers.values())


def _stored(path: Path, by: Actor, at: datetime) -> UUID:
    """A file as a finished upload: the blob store has its bytes, and a deposit can keep them."""
    digests = digests_of_file(path, sm3=True)
    blobs = wiring.blobs()
    with blobs.locked():
        blobs.adopt(path, digests.sha256)
        return Upload.objects.create(
            id=uuid4(),
            organisation=by.organisation_id,
            made_by=by.user_id,
            length=digests.size,
            offset=digests.size,
            file_name=path.name,
            media_type=_type_of(path),
            wants_sm3=True,
            sha256=digests.sha256,
            sm3=digests.sm3,
            made_at=at,
            expires_at=at + LIFE,
        ).pk


def _type_of(path: Path) -> str:
    special = {".wacz": "application/wacz", ".tsr": "application/timestamp-reply", ".jsonl": JSONL}
    return special.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _finish_capture(
    row: Capture, made: Captured | None, trouble: PlatformError | None, clock: Callable[[], datetime]
) -> None:
    """Make the item of what there is; `done`, `partial` where it is not all, `failed` where there is nothing."""
    if made is not None:
        known = {each["name"] for each in row.kept}
        try:
            _keep_files(row, [each.path for each in made.files if each.path.name not in known], clock)
        except (Invalid, Refused) as error:  # asking again would not help
            trouble = error
    whole = made is not None and made.complete and trouble is None
    state = "done" if whole else "partial" if row.kept else "failed"
    code = "" if whole else trouble.code if trouble is not None else made.trouble if made is not None else ""
    facts = dict(trouble.facts) if trouble is not None else dict(made.facts) if made is not None else {}
    at = clock()
    with changing(row.matter_id, None) as matter:
        changed = _mine(row).update(
            state=state,
            ended_at=at,
            trouble=code[:64],
            facts={} if whole else facts,
            result=dict(made.result) if made is not None else {},
            taken_until=None,
        )
        if not changed:
            return
        if row.kept:
            item = _item_of(row, matter, made.files if made is not None else (), at)
            record_item(matter, item, who=WORKER, at=at)
        told: dict[str, Fact] = {"capture": row.number, "state": state}
        if code:
            told["trouble"] = code
        record(matter, "capture.ended", who=WORKER, at=at, facts=told)


def _item_of(row: Capture, matter: Matter, files: Sequence[MadeFile], at: datetime) -> Item:
    """The item of a capture; where its worker died, of what was kept by then."""
    said = {each.path.name: each for each in files}
    order = [name for name in said if any(each["name"] == name for each in row.kept)]
    order += [each["name"] for each in row.kept if each["name"] not in said]
    numbers = {each["name"]: each["deposit"] for each in row.kept}
    deposits = {each.number: each for each in Deposit.objects.filter(number__in=numbers.values())}
    item = Item.objects.create(
        matter=matter,
        ordinal=next_ordinal(matter),
        made_by=row.made_by,
        kind="capture",
        role="original",
        title_zh=row.title_zh,
        title_en=row.title_en,
        purpose_zh=row.purpose_zh,
        purpose_en=row.purpose_en,
        source={"url": row.url, "capture": row.number},
        phase=row.phase,
        capture=row,
        made_at=at,
    )
    names = dict(zip(order, bundle_names(order), strict=True))
    for ordinal, name in enumerate(order):
        made, kept = said.get(name), deposits[numbers[name]]
        ItemFile.objects.create(
            item=item,
            ordinal=ordinal,
            name=names[name],
            file_name=name,
            media_type=made.media_type if made is not None else kept.media_type,
            size=kept.size or 0,
            sha256=kept.sha256,
            sm3=kept.sm3,
            role=made.role if made is not None else "rendition",
            derived_from=names.get(made.derived_from, "") if made is not None else "",
            over=names.get(made.over, "") if made is not None else "",
            deposit=kept,
        )
    return item


def _again(row: Capture | Bundle, trouble: PlatformError, clock: Callable[[], datetime]) -> None:
    """Back into the queue, later each time."""
    wait = min(FIRST_WAIT * 2 ** min(row.tries - 1, 12), LONGEST_WAIT)
    _mine(row).update(
        state="queued",
        not_before=clock() + wait,
        taken_until=None,
        trouble=trouble.code[:64],
        facts=dict(trouble.facts),
    )


# ---- bundles ---------------------------------------------------------------------------------------------------------


def _bundle(row: Bundle, tools: Tools, clock: Callable[[], datetime]) -> None:
    try:
        if row.sha256 is None or not wiring.bundles().holds(bytes(row.sha256)):
            _begin_bundle(row, clock)
            _must_be_published(row)
            _build(row, tools, clock)
        _end_bundle(row, clock)
    except Unavailable as error:
        if clock() - row.made_at < PATIENCE:
            _again(row, error, clock)
        else:
            _fail_bundle(row, error, clock)
    except PlatformError as error:
        _fail_bundle(row, error, clock)


def _fail_bundle(row: Bundle, error: PlatformError, clock: Callable[[], datetime]) -> None:
    at = clock()
    with changing(row.matter_id, None) as matter:
        state = {"state": "failed", "ended_at": at, "taken_until": None}
        if _mine(row).update(**state, trouble=error.code[:64], facts=dict(error.facts)):
            told: dict[str, Fact] = {"bundle": row.number, "trouble": error.code}
            told |= {name: str(value)[:300] for name, value in error.facts.items() if custody.NAME.fullmatch(name)}
            record(matter, "bundle.failed", who=WORKER, at=at, facts=told)


def _begin_bundle(row: Bundle, clock: Callable[[], datetime]) -> None:
    """Fix which lines of the custody log go in, and deposit them, once."""
    if row.custody_lines is None:
        with changing(row.matter_id, None) as matter:
            entry = record(matter, "bundle.begun", who=WORKER, at=clock(), facts={"bundle": row.number})
            row.custody_lines = entry.seq + 1
            _mine(row).update(custody_lines=row.custody_lines)
    if row.custody_deposit_id is None:
        _note(row, "matter.step_custody", "begun", clock)
        log = matters.log_of(row.matter, row.custody_lines)
        digests = _digests(log)
        title = head_title(row.matter.number, row.custody_lines)
        made = _deposited(row, digests, title=title, name="process.jsonl", kind=JSONL, clock=clock)
        row.custody_deposit = Deposit.objects.get(pk=made)
        _mine(row).update(custody_deposit=row.custody_deposit)
        _note(row, "matter.step_custody", "done", clock)


def _deposited(
    row: Bundle, digests: Digests, *, title: str, name: str, kind: str, clock: Callable[[], datetime]
) -> UUID:
    draft = NewDeposit(kind="document", digests=digests, title=title, file_name=name, media_type=kind, source="worker")
    [made] = deposit([draft], by=_for(row), at=clock())
    if isinstance(made, PlatformError):
        raise made
    return made.id


def _digests(data: bytes) -> Digests:
    return digests_of([data], sm3=True)


def _files(row: Bundle) -> list[tuple[matters.ItemSummary, Item]]:
    wanted = set(row.items)
    rows = Item.objects.filter(matter=row.matter, removed_at=None).order_by("ordinal").select_related("capture")
    rows = rows.prefetch_related("files__deposit", "files__redactions__deposit")
    return [(matters.item_summary(each), each) for each in rows if str(each) in wanted]


def _must_be_published(row: Bundle) -> None:
    """Every receipt must be there.

    Raises:
        Unavailable: `matter.receipts_wait`.
    """
    waiting = [
        each.deposit.number
        for _, item in _files(row)
        for each in item.files.all()
        if each.deposit is not None and each.deposit.position is None
    ]
    if row.custody_deposit is not None:
        row.custody_deposit.refresh_from_db()
        waiting += [row.custody_deposit.number] if row.custody_deposit.position is None else []
    if waiting:
        raise Unavailable("matter.receipts_wait", count=len(waiting))


@dataclass(slots=True)
class _Contents:
    """A bundle in the making: its parts, and what the manifest says of them."""

    at: datetime
    parts: list[Part] = field(default_factory=list)
    items: list[paper.Item] = field(default_factory=list)
    documents: list[paper.Document] = field(default_factory=list)
    redactions: list[paper.Redaction] = field(default_factory=list)
    receipts: list[ReceiptFacts] = field(default_factory=list)

    def document(self, path: str, media_type: str, content: bytes, role: str) -> None:
        """A file that belongs to no item."""
        part = Part.of(path, media_type, content)
        self.parts.append(part)
        self.documents.append(
            paper.Document(path=path, media_type=media_type, size=part.size, sha256=part.sha256, role=role)
        )


def _build(row: Bundle, tools: Tools, clock: Callable[[], datetime]) -> None:
    """Gather, print, seal, store."""
    _note(row, "matter.step_gather", "begun", clock)
    at = clock().astimezone(UTC).replace(microsecond=0)
    made = _Contents(at=at)
    for summary, item in _files(row):
        _add_item(made, summary, item)
    _add_custody(made, row)
    for each in row.attachments:
        _add_attachment(made, each)
    _note(row, "matter.step_gather", "done", clock)
    listed = _manifest(row, made, tools, at)
    _note(row, "matter.step_certificate", "begun", clock)
    pdf = tools.seal.sign_pdf(bundle_certificate(listed, made.receipts, verify_at=f"{wiring.base_url()}/verify"))
    made.document("certificate.pdf", "application/pdf", pdf, "certificate")
    made.document(README_NAME, README_TYPE, readme(row.number), "readme")
    if tools.verifier:
        made.document("verify.html", "text/html", tools.verifier, "verifier")
    made.document("ledger/policy", "text/plain", wiring.log_policy(), "policy")
    for path, content in tools.trust.items():
        kind = "application/pkix-crl" if path.endswith(".crl") else "application/x-pem-file"
        made.document(f"trust/{path}", kind, content, "trust")
    _note(row, "matter.step_certificate", "done", clock)
    _note(row, "matter.step_seal", "begun", clock)
    folder = wiring.home() / "bundles"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix="building-", dir=folder) as out:
        build(out, _manifest(row, made, tools, at), made.parts, seal=tools.seal, stampers=tools.stampers)  # type: ignore[arg-type]  # what tempfile gives is a BinaryIO in all but name
        out.seek(0)
        digests = keep_bundle(out)  # type: ignore[arg-type]  # as above
    row.sha256, row.size = digests.sha256, digests.size
    if not _mine(row).update(sha256=row.sha256, size=row.size):
        raise Unavailable("evidence.busy")  # another worker has it now
    _note(row, "matter.step_seal", "done", clock)


def _manifest(row: Bundle, made: _Contents, tools: Tools, at: datetime) -> paper.Manifest:
    matter = row.matter
    log = matters.log_of(matter, row.custody_lines)
    return paper.Manifest(
        bundle=row.number,
        created=at,
        matter=paper.Matter(
            id=matter.number,
            template=matter.template,
            title=paper.Text(zh=matter.title_zh, en=matter.title_en),
            jurisdiction=matter.jurisdiction,
            court_profile=matter.court_profile or None,
        ),
        depositor=paper.Depositor(name=organisation_name(matter.organisation) or "–", type="organisation"),
        platform=paper.Platform(
            operator=tools.seal.operator,
            software=f"chopmark/{chopmark.__version__}",
            origin=wiring.origin(),
            independence=paper.Text(
                zh="平台运营者未声明其与本案当事人之间的利害关系；核验结论不依赖于平台。",
                en="The operator has stated nothing about an interest in this matter; what is verified here does not "
                "rest on the operator's word.",
            ),
        ),
        items=tuple(made.items),
        documents=tuple(made.documents),
        custody=paper.Custody(log="custody/process.jsonl", head=custody.head(log), entries=row.custody_lines or 0),
        redactions=tuple(made.redactions),
    )


def _add_item(made: _Contents, summary: matters.ItemSummary, item: Item) -> None:
    folder = f"evidence/{matters.folder_of(summary)}"
    there = {each.name: each for each in item.files.all()}
    files, deposits, tokens = [], [], []
    for place, each in enumerate(sorted(there.values(), key=lambda each: each.ordinal), 1):
        redacted = next((every for every in each.redactions.all() if every.undone_at is None), None)
        shown: ItemFile | Redaction = redacted or each
        path = f"{folder}/{each.name}"
        kind = plain_type(shown.media_type)
        sha256 = bytes(shown.sha256)
        made.parts.append(Part(path=path, media_type=kind, size=shown.size, sha256=sha256, open=partial(_open, sha256)))
        files.append(
            paper.File(
                path=path,
                media_type=kind,
                size=shown.size,
                sha256=sha256,
                role=each.role,
                sm3=bytes(each.sm3) if each.sm3 is not None and redacted is None else None,
                derived_from=f"{folder}/{each.derived_from}" if each.derived_from in there else None,
            )
        )
        if redacted is not None:
            made.redactions.append(
                paper.Redaction(path=path, reason=redacted.reason, original_sha256=bytes(each.sha256))
            )
        if each.over in there:
            tokens.append(paper.Token(path=path, over=f"{folder}/{each.over}"))
        kept = shown.deposit
        if kept is not None:
            receipt = f"ledger/receipts/{summary.number}-{place}.cose"
            _add_receipt(made, receipt, kept)
            deposits.append(paper.DepositRef(number=kept.number, sha256=sha256, receipt=receipt))
    made.items.append(
        paper.Item(
            id=summary.number,
            kind=summary.kind,
            title=paper.Text(zh=summary.title.zh, en=summary.title.en),
            purpose=paper.Text(zh=summary.purpose.zh or "–", en=summary.purpose.en or "–"),
            source={"role": summary.role, **summary.source, **_photo(summary)},
            phase=summary.phase,
            folder=folder,
            files=tuple(files),
            deposits=tuple(deposits),
            capture=_captured(item.capture),
            tokens=tuple(tokens),
        )
    )


def _photo(item: matters.ItemSummary) -> dict[str, str]:
    """What photographs say of themselves, as the first one has it."""
    said = next((each.photo for each in item.files if each.photo), {})
    return {f"exif_{name}": value for name, value in said.items()}


def _captured(row: Capture | None) -> paper.Capture | None:
    """How it was captured; None where the worker died before that was known."""
    said = row.result if row is not None else {}
    if row is None or not all(said.get(each) for each in ("final_url", "engine", "engine_sha256")):
        return None
    return paper.Capture(
        mode=row.mode,
        requested_url=row.url,
        final_url=said["final_url"],
        started=_moment(said["started"]),
        ended=_moment(said["ended"]),
        engine=said["engine"],
        engine_sha256=bytes.fromhex(said["engine_sha256"]),
        vantages=tuple(said["vantages"]),
        cleanliness=said["cleanliness"],
        complete=row.state == "done",
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def _open(sha256: bytes) -> BinaryIO:
    """A kept file. Its digest is compared while it is copied: one that was replaced ends the making.

    Raises:
        Unavailable: `evidence.blob_missing`.
    """
    path = wiring.blobs().path(sha256)
    if not path.is_file():
        raise Invalid("matter.file_gone", digest=sha256.hex())
    return path.open("rb")


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


def _add_receipt(made: _Contents, path: str, row: Deposit) -> None:
    """The receipt, and what it proves: the certificate says no more than the verifier does."""
    receipt = receipt_of_row(row)
    statement = receipt.transparent_statement()
    made.document(path, RECEIPT_TYPE, statement, "receipt")
    digests = Digests(sha256=bytes(row.sha256 or b""), size=row.size or 0, sm3=None)
    size = Checkpoint.parse(Note.parse(receipt.checkpoint).text).size
    report = verify(statement, digests=digests, policy=Policy.parse(wiring.policy_at(size)), at=made.at)
    passed = report.verdict == Verdict.PASSED
    made.receipts.append(
        ReceiptFacts(
            path=path,
            existed_by=report.existed_by if passed else None,
            by_whom=(report.existed_by_whom or "") if passed else "",
        )
    )


def _add_custody(made: _Contents, row: Bundle) -> None:
    log = matters.log_of(row.matter, row.custody_lines)
    exhibits = [
        custody.Exhibit(
            number=each.id,
            title=each.title.en,
            files=tuple((file.path, file.size, file.sha256.hex(), file.media_type) for file in each.files),
        )
        for each in made.items
    ]
    made.document("custody/process.jsonl", JSONL, log, "custody")
    case = custody.case_jsonld(row.matter_id, row.matter.number, exhibits, custody.read(log))
    made.document("custody/custody.jsonld", "application/ld+json", case, "custody")
    if row.custody_deposit is not None:
        _add_receipt(made, "ledger/receipts/custody-1.cose", row.custody_deposit)


def _add_attachment(made: _Contents, each: Mapping[str, Any]) -> None:
    path = wiring.bundles().path(bytes.fromhex(each["sha256"]))
    if not path.is_file():
        raise Invalid("matter.file_gone", digest=each["sha256"])
    made.parts.append(
        Part(
            path=each["path"],
            media_type=plain_type(each["media_type"]),
            size=each["size"],
            sha256=bytes.fromhex(each["sha256"]),
            open=partial(_opened, path),
        )
    )
    made.documents.append(
        paper.Document(
            path=each["path"],
            media_type=plain_type(each["media_type"]),
            size=each["size"],
            sha256=bytes.fromhex(each["sha256"]),
            role=each["role"],
        )
    )


def _end_bundle(row: Bundle, clock: Callable[[], datetime]) -> None:
    """Deposit the bundle's digest, and say that it is there."""
    if row.sha256 is None or row.size is None:
        raise Unavailable("evidence.busy")
    digests = digests_of_file(wiring.bundles().path(bytes(row.sha256)), sm3=True)
    name = f"{row.number}.asice"
    title, kind = f"Bundle · 证据包 {row.number}", "application/vnd.etsi.asic-e+zip"
    made = _deposited(row, digests, title=title, name=name, kind=kind, clock=clock)
    at = clock()
    with changing(row.matter_id, None) as matter:
        done = {"state": "done", "ended_at": at, "taken_until": None, "trouble": "", "facts": {}}
        if _mine(row).update(**done, deposit_id=made, signatures=1):
            facts: dict[str, Fact] = {"bundle": row.number, "sha256": digests.sha256.hex(), "bytes": digests.size}
            record(matter, "bundle.built", who=WORKER, at=at, facts=facts)
