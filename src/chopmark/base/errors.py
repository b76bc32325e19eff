"""Three kinds of trouble, told apart by who must act.

An error carries a *code* and *facts*, never a sentence: the sentence is chosen at the edge
(page, API, command line) from `chopmark.base.wording`, in the reader's language.

    raise Refused("people.not_allowed", permission="deposit", organisation=org.name)

`Refused`     the rules do not allow it; the person can do something else.
`Invalid`     bytes from outside are malformed or fail a check; they are never repaired.
`Unavailable` something outside did not answer; the same call may be tried again.

Anything else that is raised is a bug and is left to crash.
"""

from __future__ import annotations

Fact = str | int | float | bool | None | list[str] | list[int]


class PlatformError(Exception):
    """The common root; never raised itself.

    Attributes:
        code: dotted name, `<room>.<what>`, a key of the wording catalogue.
        facts: what the sentence needs; never secrets, never personal data.
    """

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        """The code and the facts, for a log line or a traceback."""
        return " ".join([self.code, *(f"{name}={value!r}" for name, value in self.facts.items())])


class Refused(PlatformError):
    """The rules do not allow it."""


class Invalid(PlatformError):
    """Bytes from outside are malformed or fail a check."""


class Unavailable(PlatformError):
    """Something outside did not answer; safe to try again."""
