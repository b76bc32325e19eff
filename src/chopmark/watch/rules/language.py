"""The language of rules: SQL boolean expressions over the fixed feature table, read strictly.

    condition = parse("disguised and price_ratio < 0.5")
    condition.text       'disguised AND price_ratio < 0.5'      canonical; what is shown, signed and run
    condition.version    SHA-256 of the text, hex
    evaluate(condition, row), to_duckdb(condition)      two evaluators, one meaning
    as_test(condition)       a function that says of a row whether the condition is true; several times as fast

The grammar, smaller than SQL on purpose:

    condition  = condition AND condition | condition OR condition | NOT condition | ( condition )
               | value (= | <> | != | < | <= | > | >=) value      both of one kind; texts and booleans by = and <> only
               | value [NOT] IN (literal, ...)                    texts and whole numbers
               | value [NOT] BETWEEN number AND number
               | column IS [NOT] NULL
               | contains(column, 'text') | starts_with(column, 'text') | ends_with(column, 'text')
               | value of a boolean
    value      = column | literal | coalesce(column, literal)

There is no arithmetic, no cast, no pattern, no sub-select, no other function: nothing that can fail on a row, run long,
or differ between engines. Logic has three values, as in SQL; a rule fires where its condition is true, and not where it
is unknown. A row never holds NaN. Nothing here opens a file or a database.

Steps of `parse`:
 1 length, characters          3 sqlglot's tree, each node against the allow-list, kinds of both sides
 2 each token against the      4 printed, read again, compared
   allow-list, depth, count
"""

from __future__ import annotations

import hashlib
import operator
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeAlias

from chopmark.base.errors import Invalid
from chopmark.watch.features import FEATURES, Kind, Value

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

MAX_TEXT: Final = 4_000  # characters
MAX_TOKENS: Final = 600
MAX_DEPTH: Final = 20  # parentheses and NOTs within one another
MAX_VALUES: Final = 200  # of one IN
MAX_INTEGER: Final = 2**53 - 1
MAX_DIGITS: Final = 15  # of a fraction: such a number is the same double in every engine

Comparison = Literal["=", "<>", "<", "<=", ">", ">="]
TextTest = Literal["contains", "starts_with", "ends_with"]


@dataclass(frozen=True, slots=True)
class Column:
    """A feature."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; `kind` keeps 1 and TRUE apart."""

    value: str | int | float | bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class Coalesce:
    """A feature, or a literal where it is NULL."""

    column: Column
    otherwise: Constant


Operand: TypeAlias = Column | Constant | Coalesce


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values of one kind."""

    sign: Comparison
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Among:
    """IN, NOT IN; values are sorted."""

    operand: Operand
    values: tuple[Constant, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Between:
    """BETWEEN, NOT BETWEEN."""

    operand: Operand
    low: Constant
    high: Constant
    negated: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """IS NULL, IS NOT NULL."""

    column: Column
    negated: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A test of a text feature against a literal."""

    test: TextTest
    column: Column
    part: Constant


@dataclass(frozen=True, slots=True)
class Truth:
    """A boolean feature as a condition."""

    operand: Column | Coalesce


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    part: Node


@dataclass(frozen=True, slots=True)
class AllOf:
    """AND of two or more."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """OR of two or more."""

    parts: tuple[Node, ...]


Node: TypeAlias = Compare | Among | Between | Missing | Text | Truth | Not | AllOf | OneOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that was read.

    Attributes:
        text: canonical; `parse(text).text == text`.
        version: SHA-256 of the text, hex.
        columns: features that it names, sorted.
        tree: what the evaluators walk.
    """

    text: str
    version: str
    columns: tuple[str, ...]
    tree: Node


@lru_cache(maxsize=512)  # each judge reads the same rules and the same card
def parse(text: str) -> Condition:
    """Read a condition.

    Raises:
        Invalid: `watch.rule_too_long`, `watch.rule_character`, `watch.rule_word`, `watch.rule_symbol`,
            `watch.rule_number`, `watch.rule_text`, `watch.rule_too_deep`, `watch.rule_not_allowed`,
            `watch.rule_kinds`, `watch.rule_constant`; each with `position`, the first character being 1.
    """
    tree = _read(text)
    canonical = show(tree)
    if len(canonical) > MAX_TEXT:
        raise Invalid("watch.rule_too_long", limit=MAX_TEXT, position=MAX_TEXT)
    if _read(canonical) != tree:
        raise Invalid("watch.rule_not_allowed", part=_shortened(canonical), position=1)
    return Condition(
        text=canonical,
        version=hashlib.sha256(canonical.encode()).hexdigest(),
        columns=tuple(sorted(set(_columns(tree)))),
        tree=tree,
    )


def _read(text: str) -> Node:
    _check_characters(text)
    _check_tokens(text)
    return _Reader(text).condition(_parsed(text))


# ---------------------------------------------------------------- 1 and 2: characters and tokens

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE"})
_TEXT_TESTS: Final[tuple[TextTest, ...]] = ("contains", "starts_with", "ends_with")
_FUNCTIONS: Final = frozenset({*_TEXT_TESTS, "coalesce"})
_SYMBOLS: Final = frozenset({"=", "<>", "!=", "<", "<=", ">", ">=", "(", ")", ",", "-"})


def _check_characters(text: str) -> None:
    """No control characters but line ends and tabs, and nothing that cannot be seen: who signs a rule has read it."""
    if len(text) > MAX_TEXT:
        raise Invalid("watch.rule_too_long", limit=MAX_TEXT, position=MAX_TEXT)
    for position, character in enumerate(text, 1):
        if character not in "\n\t " and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise Invalid("watch.rule_character", character=f"U+{ord(character):04X}", position=position)


def _check_tokens(text: str) -> None:
    tokens = _tokens(text)
    if len(tokens) > MAX_TOKENS:
        raise Invalid("watch.rule_too_long", limit=MAX_TOKENS, position=tokens[MAX_TOKENS].start + 1)
    end, depth, negations = 0, 0, 0
    for at, token in enumerate(tokens):
        source, position = text[token.start : token.end + 1], token.start + 1
        _check_gap(text[end : token.start], end)
        end = token.end + 1
        following = text[tokens[at + 1].start] if at + 1 < len(tokens) else ""
        _check_token(token, source, position, called=following == "(")
        negations = negations + 1 if source.upper() == "NOT" else negations if source == "(" else 0
        depth += (source == "(") - (source == ")")
        if depth + negations > MAX_DEPTH:
            raise Invalid("watch.rule_too_deep", limit=MAX_DEPTH, position=position)
    _check_gap(text[end:], end)


def _check_gap(gap: str, start: int) -> None:
    """Between two tokens is white space, not a comment or what the tokenizer let pass."""
    if rest := gap.strip():
        raise Invalid("watch.rule_symbol", symbol=_shortened(rest), position=start + gap.index(rest) + 1)


def _check_token(token: Token, source: str, position: int, *, called: bool) -> None:
    match token.token_type.name:
        case "STRING":
            if source[0] != "'" or source[1:-1].replace("''", "'") != token.text:
                raise Invalid("watch.rule_text", position=position)
        case "NUMBER":
            _check_number(source, position)
        case _ if _WORD.fullmatch(source):
            _check_word(source, position, called=called)
        case _ if source not in _SYMBOLS:
            raise Invalid("watch.rule_symbol", symbol=_shortened(source), position=position)


def _tokens(text: str) -> list[Token]:
    import sqlglot  # noqa: PLC0415 (a tenth of a second that only rules need)
    from sqlglot.errors import SqlglotError  # noqa: PLC0415 (as above)

    try:
        return sqlglot.tokenize(text, read="duckdb")
    except SqlglotError as error:
        raise Invalid("watch.rule_text", position=_opened(text)) from error


def _opened(text: str) -> int:
    """Where something begins that may not end."""
    return min((found.start() for found in re.finditer(r"['\"`$]|/\*", text)), default=0) + 1


def _check_word(word: str, position: int, *, called: bool) -> None:
    if called and word.upper() not in _KEYWORDS:
        if word not in _FUNCTIONS:
            raise Invalid("watch.rule_word", word=_shortened(word), position=position)
    elif word.upper() not in _KEYWORDS and word not in FEATURES:
        raise Invalid("watch.rule_word", word=_shortened(word), position=position)


def _check_number(source: str, position: int) -> None:
    digits = source.replace(".", "").lstrip("0")
    fraction = "." in source
    if not _NUMBER.fullmatch(source) or (
        len(source) > MAX_DIGITS + 2 or len(digits) > MAX_DIGITS if fraction else int(source) > MAX_INTEGER
    ):
        raise Invalid("watch.rule_number", number=_shortened(source), position=position)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


# ---------------------------------------------------------------- 3: the tree


def _parsed(text: str) -> exp.Expr:
    import sqlglot  # noqa: PLC0415 (as above)
    from sqlglot.errors import SqlglotError  # noqa: PLC0415 (as above)

    try:
        found = sqlglot.parse(text, read="duckdb")
    except SqlglotError as error:
        place = next((each.get("col") for each in getattr(error, "errors", ())), None) or 1
        raise Invalid(
            "watch.rule_not_allowed", part=_shortened(text.strip()), position=min(place, len(text))
        ) from error
    if len(found) != 1 or found[0] is None:
        raise Invalid("watch.rule_not_allowed", part=_shortened(text.strip()), position=1)
    return found[0]


class _Reader:
    """Turns sqlglot's tree into ours; whatever has no line here is refused."""

    def __init__(self, text: str) -> None:
        from sqlglot import exp  # noqa: PLC0415 (as above)

        self.exp = exp
        self.text = text
        self.signs: dict[type[exp.Expr], Comparison] = {
            exp.EQ: "=",
            exp.NEQ: "<>",
            exp.LT: "<",
            exp.LTE: "<=",
            exp.GT: ">",
            exp.GTE: ">=",
        }
        self.tests: dict[type[exp.Expr], TextTest] = {
            exp.Contains: "contains",
            exp.StartsWith: "starts_with",
            exp.EndsWith: "ends_with",
        }
        self.readers: dict[type[exp.Expr], Callable[[exp.Expr], Node]] = {
            exp.And: self.joined,
            exp.Or: self.joined,
            exp.In: self.among,
            exp.Between: self.between,
            exp.Is: self.missing,
            **dict.fromkeys(self.signs, self.compared),
            **dict.fromkeys(self.tests, self.text_test),
        }

    def condition(self, node: exp.Expr) -> Node:
        exp = self.exp
        if isinstance(node, exp.Paren):
            return self.condition(node.this)
        if isinstance(node, exp.Not):
            return _negated(self.condition(node.this))
        read = self.readers.get(type(node), self.truth)
        return read(node)

    def truth(self, node: exp.Expr) -> Node:
        operand = self.operand(node)
        if isinstance(operand, Constant):
            raise Invalid("watch.rule_constant", position=self.place(node))
        if _kind(operand) != "boolean":
            self.kinds(node, _kind(operand), "boolean")
        return Truth(operand)

    def joined(self, node: exp.Expr) -> Node:
        """Chains hang to the left, as deep as they are long: walked, not recursed into."""
        kind, parts, left = type(node), [], node
        while type(left) is kind:
            parts.append(self.condition(left.expression))
            left = left.this
        parts.append(self.condition(left))
        same = AllOf if isinstance(node, self.exp.And) else OneOf
        flat = [inner for each in reversed(parts) for inner in (each.parts if isinstance(each, same) else (each,))]
        return same(tuple(flat))

    def compared(self, node: exp.Expr) -> Node:
        sign = self.signs[type(node)]
        left, right = self.operand(node.this), self.operand(node.expression)
        if isinstance(left, Constant):
            left, right, sign = right, left, _MIRRORED[sign]
        if isinstance(left, Constant):
            raise Invalid("watch.rule_constant", position=self.place(node))
        if isinstance(right, Constant):
            right = self.fitting(node, right, _kind(left))
        if _kind(left) != _kind(right):
            self.kinds(node, _kind(left), _kind(right))
        if sign not in {"=", "<>"} and _kind(left) in {"text", "boolean"}:
            self.kinds(node, _kind(left), "integer")
        return Compare(sign, left, right)

    def among(self, node: exp.Expr) -> Node:
        operand = self.operand(node.this)
        listed = node.expressions
        if {name for name, value in node.args.items() if value} != {"this", "expressions"} or isinstance(
            operand, Constant
        ):
            self.refuse(node)
        if _kind(operand) not in {"text", "integer"}:
            self.kinds(node, _kind(operand), "text")
        if len(listed) > MAX_VALUES:
            raise Invalid("watch.rule_too_long", limit=MAX_VALUES, position=self.place(node))
        values = {self.fitting(node, self.constant(each), _kind(operand)) for each in listed}
        return Among(operand, tuple(sorted(values, key=_order)), negated=False)

    def between(self, node: exp.Expr) -> Node:
        operand = self.operand(node.this)
        if {name for name, value in node.args.items() if value} != {"this", "low", "high"} or isinstance(
            operand, Constant
        ):
            self.refuse(node)
        if _kind(operand) not in {"integer", "real"}:
            self.kinds(node, _kind(operand), "integer")
        low, high = (self.fitting(node, self.constant(node.args[name]), _kind(operand)) for name in ("low", "high"))
        return Between(operand, low, high, negated=False)

    def missing(self, node: exp.Expr) -> Node:
        operand = self.operand(node.this)
        if not isinstance(operand, Column) or not isinstance(node.expression, self.exp.Null):
            self.refuse(node)
        return Missing(operand, negated=False)

    def text_test(self, node: exp.Expr) -> Node:
        operand, part = self.operand(node.this), self.operand(node.expression)
        if not isinstance(operand, Column) or not isinstance(part, Constant) or part.value == "":
            self.refuse(node)
        if {_kind(operand), part.kind} != {"text"}:
            self.kinds(node, _kind(operand), part.kind)
        return Text(self.tests[type(node)], operand, part)

    def operand(self, node: exp.Expr) -> Operand:
        exp = self.exp
        if isinstance(node, exp.Paren):
            return self.operand(node.this)
        if isinstance(node, exp.Column):
            if {name for name, value in node.args.items() if value} != {"this"} or node.name not in FEATURES:
                self.refuse(node)
            return Column(node.name)
        if isinstance(node, exp.Coalesce):
            column = self.operand(node.this)
            if not isinstance(column, Column) or len(node.expressions) != 1:
                self.refuse(node)
            return Coalesce(column, self.fitting(node, self.constant(node.expressions[0]), _kind(column)))
        return self.constant(node)

    def constant(self, node: exp.Expr) -> Constant:
        exp = self.exp
        if isinstance(node, exp.Boolean):
            return Constant(bool(node.this), "boolean")
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
            number = self.constant(node.this).value
            return (
                Constant(-number or 0, "integer")
                if isinstance(number, int)
                else Constant(-float(number) or 0.0, "real")
            )
        if type(node) is not exp.Literal:
            self.refuse(node)
        said = str(node.this)
        if node.is_string:
            return Constant(said, "text")
        return Constant(float(said), "real") if "." in said else Constant(int(said), "integer")

    def fitting(self, node: exp.Expr, constant: Constant, kind: Kind) -> Constant:
        """The literal in the kind of what stands beside it: a whole number becomes a fraction where it must."""
        if kind == "real" and constant.kind == "integer" and len(str(abs(int(constant.value)))) <= MAX_DIGITS:
            return Constant(float(constant.value), "real")
        if constant.kind != kind:
            self.kinds(node, kind, constant.kind)
        return constant

    def kinds(self, node: exp.Expr, found: Kind, beside: Kind) -> NoReturn:
        raise Invalid("watch.rule_kinds", first=found, second=beside, position=self.place(node))

    def refuse(self, node: exp.Expr) -> NoReturn:
        part = _shortened(node.sql(dialect="duckdb"))
        raise Invalid("watch.rule_not_allowed", part=part, position=self.place(node))

    def place(self, node: exp.Expr) -> int:
        """Of the first column in it, as sqlglot keeps places of names only."""
        starts = [each.meta["start"] for each in node.find_all(self.exp.Identifier) if "start" in each.meta]
        return min(starts, default=0) + 1


_MIRRORED: Final[Mapping[Comparison, Comparison]] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _negated(node: Node) -> Node:
    """NOT x IN (1) and x NOT IN (1) are one thing, in SQL's logic too."""
    match node:
        case Among(operand, values, negated):
            return Among(operand, values, not negated)
        case Between(operand, low, high, negated):
            return Between(operand, low, high, not negated)
        case Missing(column, negated):
            return Missing(column, not negated)
        case Not(part):
            return part
        case _:
            return Not(node)


def _kind(operand: Operand) -> Kind:
    match operand:
        case Column(name):
            return FEATURES[name].kind
        case Constant(_, kind):
            return kind
        case Coalesce(column, _):
            return FEATURES[column.name].kind


def _order(constant: Constant) -> Any:  # noqa: ANN401 (all of one list are of one kind)
    return constant.value


def _columns(node: Node | Operand) -> Iterator[str]:
    match node:
        case Column(name):
            yield name
        case Coalesce(column, _) | Missing(column, _) | Text(_, column, _):
            yield column.name
        case Compare(_, left, right):
            yield from _columns(left)
            yield from _columns(right)
        case Among(operand, _, _) | Between(operand, _, _, _) | Truth(operand):
            yield from _columns(operand)
        case Not(part):
            yield from _columns(part)
        case AllOf(parts) | OneOf(parts):
            for part in parts:
                yield from _columns(part)


# ---------------------------------------------------------------- 4: printing

Dialect = Literal["canonical", "duckdb"]


def show(node: Node, dialect: Dialect = "canonical") -> str:  # noqa: PLR0911 (one for each kind of node)
    """The text of a condition; for DuckDB names are quoted (RIGHT is a word there) and 0.3 is said to be a double."""
    match node:
        case Compare(sign, left, right):
            return f"{_shown(left, dialect)} {sign} {_shown(right, dialect)}"
        case Among(operand, values, negated):
            listed = ", ".join(_shown(each, dialect) for each in values)
            return f"{_shown(operand, dialect)} {'NOT ' * negated}IN ({listed})"
        case Between(operand, low, high, negated):
            ends = f"{_shown(low, dialect)} AND {_shown(high, dialect)}"
            return f"{_shown(operand, dialect)} {'NOT ' * negated}BETWEEN {ends}"
        case Missing(column, negated):
            return f"{_shown(column, dialect)} IS {'NOT ' * negated}NULL"
        case Text(test, column, part):
            return f"{test}({_shown(column, dialect)}, {_shown(part, dialect)})"
        case Truth(operand):
            return _shown(operand, dialect)
        case Not(part):
            return f"NOT {_inner(part, dialect, bare=isinstance(part, Truth | Text))}"
        case AllOf(parts):
            return " AND ".join(_inner(part, dialect, bare=not isinstance(part, OneOf)) for part in parts)
        case OneOf(parts):
            return " OR ".join(_inner(part, dialect, bare=not isinstance(part, AllOf)) for part in parts)


def _inner(node: Node, dialect: Dialect, *, bare: bool) -> str:
    return show(node, dialect) if bare else f"({show(node, dialect)})"


def _shown(operand: Operand, dialect: Dialect) -> str:
    match operand:
        case Column(name):
            return f'"{name}"' if dialect == "duckdb" else name
        case Coalesce(column, otherwise):
            return f"coalesce({_shown(column, dialect)}, {_shown(otherwise, dialect)})"
        case Constant(value, "text"):
            return "'" + str(value).replace("'", "''") + "'"
        case Constant(value, "boolean"):
            return "TRUE" if value else "FALSE"
        case Constant(value, "real"):
            return _fraction(float(value)) + "e0" * (dialect == "duckdb")
        case Constant(value, _):
            return str(value)


def _fraction(value: float) -> str:
    """Digits without an exponent, at least one after the point; reads back as the same double."""
    plain = f"{value:.{MAX_DIGITS + 1}f}".rstrip("0")
    for places in range(1, MAX_DIGITS + 2):
        if float(text := f"{value:.{places}f}") == value:
            return text
    return plain + "0" * plain.endswith(".")


# ---------------------------------------------------------------- evaluation


def evaluate(condition: Condition, row: Mapping[str, Value]) -> bool | None:
    """Of one full row; None is SQL's unknown.

    Raises:
        KeyError: the row is not full (see `features.row`).
    """
    return _truth(condition.tree, row)


def _truth(node: Node, row: Mapping[str, Value]) -> bool | None:  # noqa: PLR0911 (one line for each kind of node)
    match node:
        case AllOf(parts):
            return _all(_truth(part, row) for part in parts)
        case OneOf(parts):
            return _not(_all(_not(_truth(part, row)) for part in parts))
        case Not(part):
            return _not(_truth(part, row))
        case Missing(column, negated):
            return (row[column.name] is None) is not negated
        case Truth(operand):
            return _yes(_value(operand, row))
        case Compare(sign, left, right):
            return _compared(sign, _value(left, row), _value(right, row))
        case Among(operand, values, negated):
            value = _value(operand, row)
            return None if value is None else any(value == each.value for each in values) is not negated
        case Between(operand, low, high, negated):
            value = _value(operand, row)
            ends = [_compared(">=", value, low.value), _compared("<=", value, high.value)]
            return _not(_all(iter(ends))) if negated else _all(iter(ends))
        case Text(test, column, part):
            value = row[column.name]
            return None if value is None else _TESTS[test](str(value), str(part.value))


_TESTS: Final = {"contains": lambda text, part: part in text, "starts_with": str.startswith, "ends_with": str.endswith}


def _value(operand: Operand, row: Mapping[str, Value]) -> Value:
    match operand:
        case Constant(value, _):
            return value
        case Column(name):
            return row[name]
        case Coalesce(column, otherwise):
            return otherwise.value if row[column.name] is None else row[column.name]


_SIGNS: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compared(sign: Comparison, left: Value, right: Value) -> bool | None:
    return None if left is None or right is None else _SIGNS[sign](left, right)


def _yes(value: Value) -> bool | None:
    return None if value is None else bool(value)


def _not(value: bool | None) -> bool | None:  # noqa: FBT001 (a truth value is the thing here)
    return None if value is None else not value


def _all(values: Iterator[bool | None]) -> bool | None:
    unknown = False
    for value in values:
        if value is False:
            return False
        unknown = unknown or value is None
    return None if unknown else True


Row = Mapping[str, Value]
Test = Callable[[Row], bool]


def as_test(condition: Condition) -> Test:
    """A function that is true of a row where `evaluate` is, and false where that is false or unknown."""
    return _test(condition.tree, wanted=True)


def _test(node: Node, *, wanted: bool) -> Test:
    """Whether a part is surely true, or surely false: with two values each, unknown needs none."""
    match node:
        case AllOf(parts) | OneOf(parts):
            tests = tuple(_test(part, wanted=wanted) for part in parts)
            return _every(tests) if isinstance(node, AllOf) is wanted else _some(tests)
        case Not(part):
            return _test(part, wanted=not wanted)
        case Truth(Column(name)):
            return lambda row: row[name] is wanted
        case Compare(sign, Column(name), Constant(value, _)):
            holds, compare = wanted, _SIGNS[sign]
            return lambda row: (given := row[name]) is not None and compare(given, value) is holds
        case Among(Column(name), values, negated):
            listed = frozenset(each.value for each in values)
            inside = wanted is not negated
            return lambda row: (given := row[name]) is not None and (given in listed) is inside
        case _:
            return lambda row: _truth(node, row) is wanted


def _every(tests: tuple[Test, ...]) -> Test:
    def test(row: Row) -> bool:
        for each in tests:  # noqa: SIM110 (a generator would double the time)
            if not each(row):
                return False
        return True

    return test


def _some(tests: tuple[Test, ...]) -> Test:
    def test(row: Row) -> bool:
        for each in tests:  # noqa: SIM110 (as above)
            if each(row):
                return True
        return False

    return test


def to_duckdb(condition: Condition) -> str:
    """An expression for DuckDB over a relation that has the features as columns."""
    return show(condition.tree, "duckdb")
