"""`chopmark bundle …`: look into evidence bundles, check them, take them apart; no network, no web framework.

    verify FILE [--trust TRUST.json]    the same as `chopmark verify FILE`
    list FILE                           what is in it
    extract FILE --out FOLDER           its files, into a folder that is not there yet
    bagit FILE --out FILE.zip           the same files as a bag (RFC 8493)

Whom the reader trusts is `--trust`, else CHOPMARK_TRUST, else trust.json in the home; never a file beside the bundle or
in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from chopmark.base import clock
from chopmark.base.digests import chunks_of
from chopmark.base.errors import Invalid, Refused
from chopmark.cli import files, home
from chopmark.cli.output import PLAIN, Common, out, print_json, progress, say
from chopmark.cli.status import DONE, FAILED, UNCERTAIN
from chopmark.cli.words import language, text
from chopmark.evidence.bundle.bagit import bagit
from chopmark.evidence.bundle.check import BundleReport, Claim, check
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.trust import MAX_TRUST, Trust
from chopmark.evidence.verify import Verdict

TRUST = "trust.json"
STATUS = {Verdict.PASSED: DONE, Verdict.FAILED: FAILED, Verdict.INDETERMINATE: UNCERTAIN}
COLOURS = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.INDETERMINATE: "yellow"}

Bundle = Annotated[Path, Parameter(help=text("cli.bundle.file"))]


def judge(file: Path, trust: Path | None, common: Common) -> int:
    """Check one bundle and show the report; the exit status.

    Raises:
        Invalid: `cli.file_unreadable`, `cli.file_too_long`, `bundle.trust_malformed`.
    """
    given, place = _trust(trust)
    with _opened(file) as stream, progress(file.name, file.stat().st_size, common) as bar:
        told = 0

        def advance(done: int, _whole: int) -> None:
            nonlocal told
            bar.step(done - told)
            told = done

        report = check(stream, given, clock.now(), advance)
    if common.json:
        print_json(report.as_json())
    else:
        _show(report, file, place)
    return STATUS[report.verdict]


def verify_command(
    file: Bundle,
    /,
    *,
    trust: Annotated[Path | None, Parameter(help=text("cli.verify.trust"))] = None,
    common: Common = PLAIN,
) -> int:
    """Check a bundle and say what is proven, by whom, and what is not."""
    return judge(file, trust, common)


def list_command(file: Bundle, /, *, common: Common = PLAIN) -> int:
    """Show what a bundle holds; nothing is checked but its frame."""
    with _opened(file) as stream:
        container = Container(stream)
        rows = [(name, container.size(name)) for name in container.names]
    if common.json:
        print_json([{"path": name, "bytes": size} for name, size in rows])
        return DONE
    table = Table(text("cli.column.bytes"), text("cli.column.path"), box=None)
    for name, size in rows:
        table.add_row(f"{size:,}", name)
    out().print(table)
    return DONE


def extract_command(
    file: Bundle,
    /,
    *,
    to: Annotated[Path, Parameter(name="--out", help=text("cli.bundle.extract.out"))],
    common: Common = PLAIN,
) -> int:
    """Write a bundle's files into a folder that is made for them; nothing is checked but the frame."""
    if to.exists():
        raise Refused("cli.file_differs", path=str(to))
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        with _opened(file) as stream:
            container = Container(stream)
            for name in container.names:
                place = draft / name
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as target:
                    for chunk in chunks_of(container.open(name)):
                        target.write(chunk)
        draft.rename(to)
    except OSError as error:
        raise Invalid("cli.file_unwritable", path=str(to), reason=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    say("cli.bundle.extracted", common, files=len(container.names), path=str(to))
    return DONE


def bagit_command(
    file: Bundle,
    /,
    *,
    to: Annotated[Path, Parameter(name="--out", help=text("cli.bundle.bagit.out"))],
    common: Common = PLAIN,
) -> int:
    """Write a bundle's files as a bag in a ZIP file."""
    if to.exists():
        raise Refused("cli.file_differs", path=str(to))
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        with _opened(file) as stream, draft.open("xb") as target:
            bagit(stream, target)
        draft.rename(to)
    except OSError as error:
        raise Invalid("cli.file_unwritable", path=str(to), reason=error.strerror or str(error)) from error
    finally:
        draft.unlink(missing_ok=True)
    say("cli.bundle.bagged", common, path=str(to))
    return DONE


def _trust(named: Path | None) -> tuple[Trust | None, Path | None]:
    """Whom the reader trusts, and the file that says so; none without one."""
    if named is None and (variable := os.environ.get("CHOPMARK_TRUST")):
        named = Path(variable)
    if named is None:
        named = home.home() / TRUST
        if not named.is_file():
            return None, None
    return Trust.parse(files.read(named, MAX_TRUST)), named


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise Invalid("cli.file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    with stream:
        yield stream


def _show(report: BundleReport, file: Path, trust: Path | None) -> None:
    """The report for a person: verdict first, then what it is about, then each claim, then limits."""
    page = out()
    verdict = report.verdict.value
    page.print(Text(f"{verdict} · {text('cli.bundle_verdict.' + verdict.lower())}", COLOURS[report.verdict]))
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in _facts(report, file, trust):
        facts.add_row(text(f"cli.bundle.shown_{label}"), value)
    page.print(facts)
    page.print()
    for claim in report.claims:
        page.print(Text(f"{claim.verdict.value:<13} ", COLOURS[claim.verdict]).append(_called(claim), "bold"))
        for finding in claim.findings:
            sentence = text(finding.code, **finding.facts)
            page.print(Text(f"    {sentence}", "" if finding.verdict is Verdict.PASSED else COLOURS[finding.verdict]))
    page.print()
    page.print(text("cli.verify.not_proven"), style="bold")
    for code in report.not_proven:
        page.print(f"  – {text(code)}")


def _called(claim: Claim) -> str:
    kind, _, rest = claim.name.partition(":")
    return f"{text('cli.claim.' + kind)} {rest}".strip()


def _facts(report: BundleReport, file: Path, trust: Path | None) -> list[tuple[str, str]]:
    rows = [("file", str(file)), ("trust", "–" if trust is None else str(trust))]
    manifest = report.manifest
    if manifest is not None:
        title = manifest.matter.title.zh if language() == "zh" else manifest.matter.title.en
        rows += [
            ("bundle", f"{manifest.bundle} · {clock.to_text(manifest.created)}"),
            ("matter", f"{manifest.matter.id} · {title}"),
            ("depositor", manifest.depositor.name),
            ("platform", manifest.platform.operator),
        ]
    return rows
