"""The index of look-alike words: candidates by tantivy from n-grams of look and sound, put in order by `score`.

    index = WordIndex.open(folder)          # None where there is none that can be trusted
    index = WordIndex.build(folder, entries, position=0, mark="")
    index.put(entry, position); index.drop(key, position); index.search("addidas", limit=50)

Its rows are elsewhere and are the truth; `position` says up to which change of theirs the files on disk are complete.
What came later is kept in memory and found at once; `settle` writes it down, and a process that is killed before has
lost nothing that it cannot read from the rows again. Files of another version, damaged or of other rows (`mark`) are
thrown away and built anew. Several processes may open one folder; only who holds `lock` writes there.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chopmark.rights.similarity.keys import VERSION, Keys, keys, phonetic, skeleton
from chopmark.rights.similarity.score import Score, scores
from chopmark.rights.similarity.scripts import has_han, is_han

if TYPE_CHECKING:
    import tantivy

FORMAT = f"{VERSION}.2"
CANDIDATES = 100
"""Taken from each of the n-gram queries."""
SETTLE_AFTER = 1000
"""Changes in memory from which `settle` is due."""
MAX_TEXTS = 8
MAX_LIMIT = 200
_HEAP = 100_000_000  # bytes of the writer
_WINDOW_WORDS = 4
_WINDOW_LETTERS = 20
_SHORT = 3  # letters: shorter rows of Latin letters stand in everything
_MAX_WINDOWS = 1200
_STATE = "state.json"
_APART = "\x1f"
_HIDDEN = "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One right with its words.

    Attributes:
        key: its id.
        texts: its words and other ways to write them; the first is the one to show.
        classes, territories: codes that a search may be narrowed to.
        scope: empty for what everybody may find, otherwise the one organisation that may.
        owner: the organisation whose right it is.
    """

    key: str
    texts: tuple[str, ...]
    classes: frozenset[str] = frozenset()
    territories: frozenset[str] = frozenset()
    scope: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One right whose words resemble the query; `text` is the one that does most."""

    key: str
    text: str
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doc:
    key: str
    text: str
    keys: Keys
    classes: frozenset[str]
    territories: frozenset[str]
    scope: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Among:
    """Whom a search may find: what is left out takes no place of another's among the candidates."""

    classes: Collection[str]
    territories: Collection[str]
    scope: str
    without: str

    def has(self, doc: _Doc) -> bool:
        return (
            (not doc.scope or doc.scope == self.scope)
            and not (self.without and doc.owner == self.without)
            and (not self.classes or not doc.classes.isdisjoint(self.classes))
            and (not self.territories or not doc.territories.isdisjoint(self.territories))
        )

    def within(self, schema: tantivy.Schema) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        """The same for the files, as parts of a query."""
        from tantivy import Occur, Query  # noqa: PLC0415 (loaded for the first search)

        parts = [
            (Occur.Must, Query.const_score_query(Query.term_set_query(schema, field, sorted(set(codes))), 0.0))
            for field, codes in (("class", self.classes), ("territory", self.territories))
            if codes
        ]
        hidden = Query.term_query(schema, "hidden", _HIDDEN, "basic")
        if self.scope:
            own = Query.term_query(schema, "scope", self.scope, "basic")
            hidden = Query.boolean_query([(Occur.Must, hidden), (Occur.MustNot, own)])
        parts.append((Occur.MustNot, hidden))
        if self.without:
            parts.append((Occur.MustNot, Query.term_query(schema, "owner", self.without, "basic")))
        return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the files on disk hold: changes up to `position`, of the rows that `mark` names there."""

    generation: str
    position: int
    mark: str


class WordIndex:
    """See the module. Safe to be used by several threads."""

    def __init__(self, folder: Path, state: State) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._load(state)
        self._delta: dict[str, tuple[int, tuple[_Doc, ...]]] = {}  # key -> position, documents; none when it is gone
        self._position = state.position

    @classmethod
    def open(cls, folder: Path) -> WordIndex | None:
        """The index of this folder; None where there is none of this version, or none that can be read."""
        for _ in range(3):  # another process may put a new one in place between the two reads
            state = read_state(folder)
            if state is None:
                return None
            try:
                return cls(folder, state)
            except (ValueError, OSError):
                continue
        return None

    @classmethod
    def build(cls, folder: Path, entries: Iterable[Entry], *, position: int, mark: str = "") -> WordIndex:
        """Build anew from all rows and put it in place of the one there; the caller holds `exclusive`.

        Raises:
            ValueError, OSError: it cannot be written; the one there stays.
        """
        folder.mkdir(parents=True, exist_ok=True)
        state = State(generation=f"words-{secrets.token_hex(8)}", position=position, mark=mark)
        place = folder / state.generation
        try:
            place.mkdir()
            index = _engine(place)
            writer = index.writer(_HEAP, 1)
            for made in _stored(doc for entry in entries for doc in _documents(entry)):
                writer.add_document(made)
            writer.commit()
            writer.wait_merging_threads()
        except BaseException:  # a full disk is not filled further by what nobody will read
            shutil.rmtree(place, ignore_errors=True)
            raise
        _write_state(folder, state)
        for old in folder.glob("words-*"):
            if old.name != state.generation:
                shutil.rmtree(old, ignore_errors=True)
        return cls(folder, state)

    @property
    def position(self) -> int:
        """The change up to which it is complete, files and memory together."""
        return self._position

    @property
    def mark(self) -> str:
        """Of the rows that the files were made of."""
        return self._state.mark

    @property
    def waiting(self) -> int:
        """Changes that are in memory only."""
        return len(self._delta)

    def __len__(self) -> int:
        """Texts in the files; a text that was changed since is counted as it was."""
        return int(self._searcher.num_docs)

    def put(self, entry: Entry, position: int) -> None:
        """Keep this right as it is now, in place of what was kept."""
        docs = tuple(_documents(entry))
        with self._lock:
            self._delta[entry.key] = (position, docs)
            self._position = max(self._position, position)

    def drop(self, key: str, position: int) -> None:
        """Forget a right."""
        with self._lock:
            self._delta[key] = (position, ())
            self._position = max(self._position, position)

    def reached(self, position: int) -> None:
        """Nothing else changed up to here."""
        with self._lock:
            self._position = max(self._position, position)

    def search(
        self,
        text: str | Keys,
        *,
        classes: Collection[str] = (),
        territories: Collection[str] = (),
        scope: str = "",
        without: str = "",
        limit: int = 50,
        least: float = 0.0,
    ) -> tuple[Hit, ...]:
        """What resembles a text, best first: one hit for each right.

        Args:
            classes: only rights in one of these; empty for all.
            territories: only rights in one of these; empty for all.
            scope: the organisation that asks.
            without: an organisation whose rights are none to be found.
            limit: at most `MAX_LIMIT`.
            least: the total from which a right is worth showing.

        Raises:
            ValueError, OSError: the files are damaged; build anew.
        """
        asked = text if isinstance(text, Keys) else keys(text)
        if not asked.skeleton and not asked.phonetic:
            return ()
        with self._lock:
            searcher, delta = self._searcher, dict(self._delta)
        among = _Among(classes=classes, territories=territories, scope=scope, without=without)
        found = [doc for doc in self._candidates(searcher, asked, among) if doc.key not in delta]
        found += [doc for _, docs in delta.values() for doc in docs]
        found = [doc for doc in found if among.has(doc)]
        return _ranked(asked, found, min(limit, MAX_LIMIT), least)

    def settle(self, mark: str = "", *, force: bool = False) -> bool:
        """Write what is in memory to the files, when it is much; whether it was done.

        `mark` names the rows at the position reached. Where another process writes, its files are taken instead.

        Raises:
            ValueError, OSError: the files are damaged; build anew.
        """
        with self._lock:
            taken, position = dict(self._delta), self._position
        if not force and len(taken) < SETTLE_AFTER:
            return False
        with exclusive(self.folder) as mine:
            if not mine or read_state(self.folder) != self._state:
                return self._take_over()
            writer = self._index.writer(_HEAP, 1)
            for key, (_, docs) in taken.items():
                writer.delete_documents_by_term("key", key)
                for made in _stored(docs):
                    writer.add_document(made)
            writer.commit()
            writer.wait_merging_threads()
            state = State(generation=self._state.generation, position=position, mark=mark or self._state.mark)
            _write_state(self.folder, state)
        with self._lock:
            self._load(state)
            self._delta = {key: value for key, value in self._delta.items() if taken.get(key) is not value}
        return True

    def _take_over(self) -> bool:
        """Read the files that another process wrote; what they hold is not needed in memory any more."""
        state = read_state(self.folder)
        if state is None or state == self._state or state.position <= self._state.position:
            return False
        with self._lock:
            self._load(state)
            self._delta = {key: value for key, value in self._delta.items() if value[0] > state.position}
        return True

    def _load(self, state: State) -> None:
        self._index = _engine(self.folder / state.generation, made=True)
        self._index.reload()
        self._searcher = self._index.searcher()
        self._state = state

    def _candidates(self, searcher: tantivy.Searcher, asked: Keys, among: _Among) -> Iterator[_Doc]:
        """Texts that share rows of letters with the query, and texts that stand in it whole."""
        from tantivy import Occur, Query  # noqa: PLC0415 (loaded for the first search)

        schema = self._index.schema
        narrowed = among.within(schema)
        queries = [
            _any_of(schema, "look", _grams(f"^{asked.skeleton}$")),
            _any_of(schema, "sound", _grams(f"^{asked.phonetic}$")),
            _any_of(schema, "han", set(filter(is_han, asked.norm))),
        ]
        looks, sounds = _windows(asked)
        wholes = [
            Query.term_set_query(schema, field, sorted(each))
            for field, each in (("look_whole", looks), ("sound_whole", sounds))
            if each
        ]
        places: dict[tuple[int, int], Any] = {}
        for query in (*filter(None, queries), *wholes):
            whole = Query.boolean_query([(Occur.Must, query), *narrowed])
            for _, place in searcher.search(whole, CANDIDATES, count=False).hits:
                places[place.segment_ord, place.doc] = place
        for place in places.values():
            yield _loaded(searcher.doc(place)["doc"][0])


def _documents(entry: Entry) -> Iterator[_Doc]:
    for text in dict.fromkeys(entry.texts[:MAX_TEXTS]):
        made = keys(text)
        if made.skeleton or made.phonetic:
            yield _Doc(
                key=entry.key,
                text=text[:200],
                keys=made,
                classes=entry.classes,
                territories=entry.territories,
                scope=entry.scope,
                owner=entry.owner,
            )


def _ranked(asked: Keys, found: Sequence[_Doc], limit: int, least: float) -> tuple[Hit, ...]:
    if not found:
        return ()
    look, sound, contains, total = scores(asked, [doc.keys for doc in found])
    hits: dict[str, Hit] = {}
    for at in (-total).argsort(kind="stable"):
        doc = found[at]
        if total[at] < least or len(hits) == limit:
            break
        if doc.key not in hits:
            made = Score(
                look=float(look[at]), sound=float(sound[at]), contains=float(contains[at]), total=float(total[at])
            )
            hits[doc.key] = Hit(key=doc.key, text=doc.text, score=made)
    return tuple(hits.values())


def _grams(text: str) -> set[str]:
    return {text[at : at + size] for size in (2, 3) for at in range(len(text) - size + 1)} if len(text) > 2 else set()


def _any_of(schema: tantivy.Schema, field: str, terms: Collection[str]) -> tantivy.Query | None:
    from tantivy import Occur, Query  # noqa: PLC0415 (loaded for the first search)

    if not terms:
        return None
    return Query.boolean_query(
        [(Occur.Should, Query.term_query(schema, field, each, "basic")) for each in sorted(terms)]
    )


def _windows(asked: Keys) -> tuple[set[str], set[str]]:
    """Every part of a query that could be a mark: rows of words, and rows of letters of its look."""
    words = asked.norm.split()
    looks: set[str] = set()
    sounds: set[str] = {asked.phonetic} if asked.phonetic else set()
    for first in range(len(words)):
        for last in range(first + 1, min(first + _WINDOW_WORDS, len(words)) + 1):
            part = " ".join(words[first:last])
            looks.add(skeleton(part))
            if len(said := phonetic(part)) > 2:
                sounds.add(said)
    text = asked.skeleton
    for size in range(2, _WINDOW_LETTERS + 1):
        for at in range(len(text) - size + 1):
            part = text[at : at + size]
            if size > _SHORT or has_han(part):
                looks.add(part)
    looks = {each for each in looks if len(each) > 1 or is_han(each)}
    return set(sorted(looks)[:_MAX_WINDOWS]), sounds


def _engine(place: Path, *, made: bool = False) -> tantivy.Index:
    import tantivy  # noqa: PLC0415 (loaded with the first index)

    index = tantivy.Index.open(str(place)) if made else tantivy.Index(_schema(), path=str(place), reuse=False)
    index.config_reader(reload_policy="manual")
    for name, least, most in (("grams", 2, 3), ("letters", 1, 1)):
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.ngram(least, most, prefix_only=False)).build()
        index.register_tokenizer(name, analyzer)
    return index


def _schema() -> tantivy.Schema:
    import tantivy  # noqa: PLC0415 (as above)

    builder = tantivy.SchemaBuilder()
    for name, tokenizer in {
        "key": "raw",
        "look": "grams",
        "sound": "grams",
        "han": "letters",
        "look_whole": "raw",
        "sound_whole": "raw",
        "class": "raw",
        "territory": "raw",
        "owner": "raw",
        "scope": "raw",
        "hidden": "raw",
    }.items():
        builder.add_text_field(name, tokenizer_name=tokenizer, index_option="basic")
    builder.add_bytes_field("doc", stored=True)
    return builder.build()


def _stored(docs: Iterable[_Doc]) -> Iterator[tantivy.Document]:
    import tantivy  # noqa: PLC0415 (as above)

    for doc in docs:
        made = tantivy.Document()
        made.add_text("key", doc.key)
        made.add_text("look", f"^{doc.keys.skeleton}$")
        made.add_text("sound", f"^{doc.keys.phonetic}$")
        if doc.keys.pinyin:
            made.add_text("han", "".join(filter(is_han, doc.keys.norm)))
        made.add_text("look_whole", doc.keys.skeleton)
        made.add_text("sound_whole", doc.keys.phonetic)
        for field, codes in (("class", doc.classes), ("territory", doc.territories)):
            for code in sorted(codes):
                made.add_text(field, code)
        if doc.owner:
            made.add_text("owner", doc.owner)
        if doc.scope:
            made.add_text("scope", doc.scope)
            made.add_text("hidden", _HIDDEN)
        made.add_bytes("doc", _APART.join(each.replace(_APART, " ") for each in _parts(doc)).encode())
        yield made


def _parts(doc: _Doc) -> tuple[str, ...]:
    made = doc.keys
    return (
        *(doc.key, doc.text, made.norm, made.skeleton, made.phonetic, made.consonant, made.pinyin),
        *(" ".join(sorted(doc.classes)), " ".join(sorted(doc.territories)), doc.scope, doc.owner),
    )


def _loaded(stored: bytes) -> _Doc:
    key, text, norm, look, sound, consonant, pinyin, *rest = bytes(stored).decode().split(_APART)
    classes, territories, scope, owner = rest
    return _Doc(
        key=key,
        text=text,
        keys=Keys(norm, look, sound, consonant, pinyin),
        classes=_codes(classes),
        territories=_codes(territories),
        scope=scope,
        owner=owner,
    )


@lru_cache(maxsize=10_000)
def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


def read_state(folder: Path) -> State | None:
    """What the folder says of its files; None where it says nothing that this version understands."""
    try:
        said: Mapping[str, Any] = json.loads((folder / _STATE).read_bytes())
        if said["format"] != FORMAT:
            return None
        state = State(generation=str(said["generation"]), position=int(said["position"]), mark=str(said["mark"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state if (folder / state.generation).is_dir() else None


def _write_state(folder: Path, state: State) -> None:
    """Put a new state in place of the old one, in one step that a crash leaves whole."""
    draft = folder / f"{_STATE}.new"
    said = {"format": FORMAT, "generation": state.generation, "position": state.position, "mark": state.mark}
    with draft.open("w") as file:
        file.write(json.dumps(said))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _STATE)


@contextmanager
def exclusive(folder: Path) -> Iterator[bool]:
    """Whether this process alone may write to the folder, until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
