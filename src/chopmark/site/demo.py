"""`chopmark demo`: an organisation, its account, deposits, a matter, rights, works, a marketplace to be watched.

All of it is made as anybody makes it.
"""

from __future__ import annotations

import os
import secrets
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from chopmark.base import clock
from chopmark.base.errors import PlatformError, Refused, Unavailable
from chopmark.cli.deposit import write_papers
from chopmark.cli.doors import Wish
from chopmark.cli.files import digests
from chopmark.cli.home import home, use_platform
from chopmark.cli.output import PLAIN, Common, print_json, say
from chopmark.cli.status import DONE
from chopmark.site.config import read_config
from chopmark.site.desks import CLERKS
from chopmark.site.desks import FOLDER as DESKS
from chopmark.site.members import local_members

if TYPE_CHECKING:
    from chopmark.people.actor import Actor
    from chopmark.site.demo_matter import DemoMatter
    from chopmark.site.demo_rights import DemoRights
    from chopmark.site.demo_watch import DemoWatch

EMAIL = "demo@chopmark.example"
NAME = "Demo 示范"
ORGANISATION = "Blue Wave Studio 青浪工作室"
WAIT = 180.0  # seconds
FILES = (
    # name, kind, title, author, media type, private, SM3 beside SHA-256, kept
    ("blue-wave.png", "work", "Blue Wave No. 1 · 青浪一号", "Lin Qing 林青", "image/png", False, True, True),
    ("wave-logo.svg", "work", "Wave logo · 浪花标志", "Lin Qing 林青", "image/svg+xml", False, False, True),
    ("tide-song.txt", "work", "Tide Song · 潮歌", "Chen Hai 陈海", "text/plain", False, False, False),
    ("licence-draft.txt", "document", "Licence draft · 授权书草稿", "", "text/plain", True, False, False),
    ("listing-record.json", "evidence", "Listing record · 商品页面记录", "", "application/json", False, False, False),
)


def command(*, common: Common = PLAIN) -> int:
    """Make the demo organisation, its account and its deposits; what is there already stays."""
    place = home()
    use_platform()
    from chopmark.cli.embedded import Embedded  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence import wiring  # noqa: PLC0415
    from chopmark.people.actions import open_account  # noqa: PLC0415
    from chopmark.site import demo_rights, demo_watch  # noqa: PLC0415
    from chopmark.site.demo_matter import finished, publish  # noqa: PLC0415

    note = place / "demo.txt"
    demo = open_account(EMAIL, _password(note), name=NAME, organisation=ORGANISATION, at=clock.now())
    folder = place / "demo"
    folder.mkdir(mode=0o700, exist_ok=True)
    door = Embedded(str(demo.actor.organisation_id))
    wishes = [_wish(folder, each, common) for each in FILES]
    made = []
    for answer in door.deposit(wishes, lambda _sent: None):
        if isinstance(answer, PlatformError):
            raise answer
        made.append(answer)
    published = door.wait(made, 0.0)
    matter, rights = finished(place, demo.actor), demo_rights.finished(demo.actor)
    watch = demo_watch.finished(place, demo.actor)
    if (
        matter is None
        or rights is None
        or watch is None
        or wiring.book().pending_count()
        or any(each.position is None for each in published)
    ):
        with local_members(place):
            published = door.wait(made, WAIT)
            publish()
            matter, rights, watch = _more(place, demo.actor, common)
            publish()
    for wish, each in zip(wishes, published, strict=True):
        if each.position is None:
            raise Unavailable("evidence.not_published", number=each.number)
        papers = door.papers(each.id)
        write_papers(wish.path, papers.tlog_proof, papers.cose, force=True)
    if common.json:
        told = {"email": EMAIL, "password_file": str(note), "deposits": [each.number for each in published]}
        more = [each.told() for each in (matter, rights, watch) if each is not None]
        print_json({name: value for part in (told, *more) for name, value in part.items()})
    say("site.demo_made", common, count=len(published), folder=str(folder))
    if matter is not None:
        _say_matter(place, matter, common)
    if rights is not None:
        _say_rights(rights, common)
    if watch is not None:
        say("site.demo_watch", common, site=watch.site, scan=watch.scan)
    say("site.demo_account", common, email=EMAIL, path=str(note))
    return DONE


def _more(place: Path, by: Actor, common: Common) -> tuple[DemoMatter | None, DemoRights | None, DemoWatch | None]:
    """The demo's matter, its rights, works and marketplace; None for what cannot be made now, and why was said."""
    from chopmark.site.demo_matter import make_matter, must_have_authority  # noqa: PLC0415 (the framework is set up)
    from chopmark.site.demo_rights import make_rights  # noqa: PLC0415
    from chopmark.site.demo_watch import make_watch  # noqa: PLC0415

    config, _ = read_config()
    matter = None
    try:
        must_have_authority(config)
        matter = make_matter(place, config, by)
        rights = make_rights(place, by)
        return matter, rights, make_watch(place, rights.right, by)
    except Refused as error:
        if error.code == "site.demo_no_authority":
            say(error.code, common)
        elif error.code in ("site.worker_running", "desk.running"):
            say("site.demo_waits", common, reason=error.code)
        else:
            raise
    return matter, None, None


def _say_rights(rights: DemoRights, common: Common) -> None:
    facts = {"right": rights.right, "works": ", ".join(rights.works) or "–", "copies": rights.copies or "–"}
    say("site.demo_rights", common, **facts)
    for name, error in rights.troubles:
        say("site.demo_no_work", common, name=name, reason=error.code)


def _say_matter(place: Path, matter: DemoMatter, common: Common) -> None:
    say("site.demo_matter", common, matter=matter.matter, bundle=str(matter.bundle))
    if not matter.captured:
        say("site.demo_not_captured", common)
    if matter.case:
        say("site.demo_filed", common, filing=matter.filing, case=matter.case, path=str(place / DESKS / CLERKS))


def _password(note: Path) -> str:
    """The demo account's password: the one noted, else a new random one, noted before it is used."""
    if note.is_file():
        return note.read_text("utf-8").splitlines()[1].removeprefix("password: ")
    password = secrets.token_urlsafe(12)
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"e-mail: {EMAIL}\npassword: {password}\n")
    return password


def _wish(folder: Path, described: tuple[str, str, str, str, str, bool, bool, bool], common: Common) -> Wish:
    name, kind, title, author, media_type, private, sm3, keep = described
    path = folder / name
    data = files("chopmark.site").joinpath("demo_files", name).read_bytes()
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)
    return Wish(
        path=path,
        digests=digests(path, common, sm3=sm3),
        kind=kind,
        title=title,
        author=author,
        media_type=media_type,
        private=private,
        keep=keep,
    )
