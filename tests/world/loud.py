"""What a scan opens, as libraries are that print what nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chopmark.watch.found import Field, TextHit


class Nothing:
    """A first pass that finds nothing."""

    def found(self, texts: Sequence[str], of: Field) -> Mapping[int, Sequence[TextHit]]:
        """Nothing."""
        del texts, of
        return {}

    def number(self, mark: int) -> str:
        """Nobody asks."""
        return str(mark)

    def confirmed(self) -> Mapping[str, int]:
        """Nothing."""
        return {}


def open_census(argument: str) -> Nothing:
    """Opened with noise, in the driver's own process; or not at all, and then it ends."""
    print("hello from a library")  # noqa: T201 (that is the point)
    if "down" in argument:
        raise RuntimeError(argument)
    return Nothing()


CENSUS = "world.loud:open_census"
