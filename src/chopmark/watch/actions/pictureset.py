"""Sets of protected pictures: made of the registry, kept as files, the newest in use; and who looks with them.

follow_pictures     by the watcher: a new set when works or logos changed; and a task to look for new ones in the stock
matcher_in_use      the matcher of the newest set; None before the first
FeedPictures        what the feed, and a second look, asks for the pictures of listings
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid, Unavailable
from chopmark.evidence import wiring as evidence_wiring
from chopmark.rights.queries import library, scanning
from chopmark.watch import wiring
from chopmark.watch.engine.manifest import write_whole
from chopmark.watch.found import Looked
from chopmark.watch.listing import Listing
from chopmark.watch.models import Task
from chopmark.watch.queries.pictures import cache_folder

if TYPE_CHECKING:
    from chopmark.watch.fetch import Fetcher
    from chopmark.watch.looking import Looker
    from chopmark.watch.pictures import PictureMatcher, PictureSet

HASTE: Final = 0.5
"""Seconds that a batch of the feed has for pictures; the rest gets a second look."""
SLOWEST: Final = 1.5
"""Seconds for one picture that the feed has begun to fetch."""
KEPT: Final = 3
"""Sets that stay on disk, the newest: scans that run may still open the one before."""


@evidence_wiring.answering()
def follow_pictures(at: datetime) -> bool:
    """Make the set anew where works, their files or logos changed; whether it is another one now."""
    changed = list(scanning.pictures_changed())
    before = _current()
    if before is not None and before[1] == changed:
        return False
    from chopmark.watch.pictures import Logo, Reference, encode, picture_set  # noqa: PLC0415 (only who makes sets)

    made = picture_set(
        (
            Reference(
                work=each.work,
                organisation=str(each.organisation),
                sha256=each.sha256,
                codes=tuple(code for code in each.fingerprint.codes if code.turn == 0),
                features=each.fingerprint.named("plain"),
            )
            for each in scanning.pictures()
        ),
        (Logo(right=str(right), codes=codes) for right, codes in scanning.logos().items()),
    )
    if _has_new(before[0] if before is not None else "", made):
        _plan(made.version, at)
    path = path_of(made.version)
    if not path.is_file():
        write_whole(path, encode(made))
    write_whole(_pointer(), jcs.encode({"version": made.version, "changed": changed}))
    for old in sorted(_folder().glob("pictures-*.cbor"), key=lambda each: -each.stat().st_mtime)[KEPT:]:
        if old != path:
            old.unlink(missing_ok=True)
    return before is None or before[0] != made.version


def _has_new(version: str, made: PictureSet) -> bool:
    """Whether something is protected that was not in the set before."""
    try:
        before = read_pictures(path_of(version), version)
    except (FileNotFoundError, Invalid):
        return True
    known = {(each.work, each.sha256) for each in before.references}
    return any((each.work, each.sha256) not in known for each in made.references) or any(
        each not in before.logos for each in made.logos
    )


def _plan(version: str, at: datetime) -> None:
    """What is here already is looked at for what is protected now, from the first listing on."""
    Task.objects.filter(kind="pictures", done_at=None).delete()
    Task.objects.bulk_create([Task(kind="pictures", right=task_of(version), made_at=at)], ignore_conflicts=True)


def task_of(version: str) -> str:
    """How a task names a set."""
    return version[:40]


def version_in_use() -> str:
    """The newest set's version; empty before the first."""
    found = _current()
    return found[0] if found is not None else ""


def path_of(version: str) -> Path:
    """Where a set lies."""
    return _folder() / f"pictures-{version}.cbor"


def matcher_in_use() -> PictureMatcher | None:
    """The matcher of the newest set; the one made last stays in memory."""
    version = version_in_use()
    if not version:
        return None
    try:
        return _matcher(str(path_of(version)), version)
    except FileNotFoundError:  # the home was put back without it: made again at the next look
        _pointer().unlink(missing_ok=True)
        return None


def read_pictures(path: Path, version: str) -> PictureSet:
    """A set from its file.

    Raises:
        Invalid: `watch.pictures_malformed`.
    """
    from chopmark.watch.pictures import parse  # noqa: PLC0415 (as above)

    found = parse(path.read_bytes())
    if found.version != version:
        raise Invalid("watch.pictures_malformed")
    return found


@lru_cache(maxsize=1)
def _matcher(path: str, version: str) -> PictureMatcher:
    from chopmark.watch.pictures import PictureMatcher  # noqa: PLC0415 (as above)

    return PictureMatcher(read_pictures(Path(path), version))


class FeedPictures:
    """Looks at the pictures of listings before they are judged; what cannot be had or read is left out.

    Args:
        allow: `host:port` of this machine or network that pictures may come from.
        patience, haste: seconds, see `looking.Looker`. As they are, a listing's words wait for its pictures no longer
            than `HASTE` and one slow answer.
    """

    def __init__(self, allow: Collection[str] = (), *, patience: float = HASTE, haste: float = HASTE) -> None:
        self._allow, self._patience, self._haste = allow, patience, haste
        self._fetcher: Fetcher | None = None
        self._made: tuple[str, Looker] | None = None
        self.trouble = ""
        """Why the last batch was judged without its pictures; empty when it was not."""

    def __call__(self, listings: Sequence[Listing], at: datetime) -> Looked:
        """What is seen of the pictures of each listing."""
        self.trouble = ""
        nothing: list[Sequence[Any]] = [()] * len(listings)
        pictured = frozenset(place for place, each in enumerate(listings) if each.pictures)
        looker = self._looker() if pictured else None
        if looker is None:
            return Looked(seen=nothing)
        try:
            return looker.looked([each.pictures for each in listings], at)
        except Unavailable as error:  # no decoder here, no room: a listing's words must not wait for it
            self.trouble = error.code
            return Looked(seen=nothing, glanced=pictured)

    def close(self) -> None:
        """End the connections that are kept."""
        if self._fetcher is not None:
            self._fetcher.close()

    def _looker(self) -> Looker | None:
        matcher = matcher_in_use()
        if matcher is None:
            return None
        if self._made is None or self._made[0] != matcher.version:
            from chopmark.watch.fetch import Fetcher, Pace  # noqa: PLC0415 (an HTTP client)
            from chopmark.watch.looking import Looker  # noqa: PLC0415 (as above)
            from chopmark.watch.shelf import Cache  # noqa: PLC0415 (as above)

            pace = Pace(seconds=SLOWEST) if math.isfinite(self._haste) else Pace()
            self._fetcher = self._fetcher or Fetcher(allow=self._allow, pace=pace)
            looker = Looker(
                matcher,
                workshop=library.workshop(),
                source=self._fetcher,
                cache=Cache(cache_folder()),
                patience=self._patience,
                haste=self._haste,
            )
            self._made = (matcher.version, looker)
        return self._made[1]


def _folder() -> Path:
    return wiring.folder("picture-sets")


def _pointer() -> Path:
    return _folder() / "current.json"


def _current() -> tuple[str, list[int]] | None:
    """Version of the newest set, and the numbers that it was made at."""
    try:
        said = jcs.decode(_pointer().read_bytes())
        return str(said["version"]), list(said["changed"])
    except (FileNotFoundError, Invalid, KeyError, TypeError):
        return None
