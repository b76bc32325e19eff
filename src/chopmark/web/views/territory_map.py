"""The world as a map of tiles, one tile a country: where a right counts, at a glance.

Only a picture: which country a right covers is decided by `chopmark.rights.coverage`, and the same is said in words
beside every map. Countries that have no tile are listed there alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIZE = 20  # side of a tile with its gap, in the picture's own units
GAP = 2

_ROWS = """
..  ..  ..  ..  ..  GL  ..  ..  IS  ..  ..  NO  SE  FI  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..
CA  ..  ..  ..  ..  ..  ..  ..  IE  GB  ..  DK  ..  EE  ..  ..  RU  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..
US  ..  ..  BM  ..  ..  ..  ..  ..  ..  NL  DE  PL  LV  BY  ..  ..  KZ  ..  ..  MN  ..  ..  ..  ..  ..  ..  ..
MX  ..  BS  ..  ..  ..  ..  ..  ..  BE  LU  CZ  SK  LT  UA  ..  ..  UZ  KG  ..  ..  ..  KP  ..  JP  ..  ..  ..
GT  BZ  CU  ..  ..  KN  AG  ..  AD  FR  CH  AT  HU  RO  MD  ..  GE  TM  TJ  ..  CN  ..  KR  ..  ..  ..  ..  ..
SV  HN  JM  HT  DO  DM  LC  PT  ES  MC  LI  SI  HR  RS  BG  ..  AM  AZ  AF  ..  ..  MO  HK  TW  ..  ..  ..  ..
..  NI  ..  ..  ..  VC  BB  ..  ..  SM  IT  BA  ME  MK  ..  TR  SY  IQ  IR  PK  NP  BT  ..  ..  ..  ..  ..  ..
..  CR  PA  ..  ..  GD  TT  ..  ..  VA  MT  ..  AL  GR  ..  CY  LB  JO  KW  ..  IN  BD  MM  LA  VN  PH  ..  ..
..  ..  CO  VE  GY  SR  ..  ..  MA  DZ  TN  LY  EG  ..  ..  ..  IL  SA  BH  QA  LK  ..  TH  KH  ..  PW  FM  MH
..  ..  EC  ..  ..  ..  CV  MR  ML  BF  NE  TD  SD  ER  DJ  ..  ..  YE  AE  OM  MV  ..  MY  SG  BN  ..  NR  KI
..  ..  PE  BO  BR  ..  GM  SN  GN  CI  BJ  NG  SS  ET  SO  ..  ..  ..  ..  ..  ..  ..  ..  ID  TL  PG  SB  TV
..  ..  ..  PY  ..  ..  GW  SL  LR  GH  TG  CM  CF  UG  KE  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  VU  FJ
..  ..  CL  AR  UY  ..  ..  ..  ST  GQ  GA  CG  CD  RW  TZ  ..  SC  ..  ..  ..  ..  ..  ..  ..  AU  ..  WS  TO
..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  AO  ZM  BI  MW  KM  ..  ..  ..  ..  ..  ..  ..  ..  ..  NZ  ..  ..
..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  NA  BW  ZW  MZ  MG  MU  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..
..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ZA  LS  SZ  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..  ..
"""
GRID: Mapping[str, tuple[int, int]] = {
    code: (column, row)
    for row, line in enumerate(_ROWS.split("\n")[1:-1])
    for column, code in enumerate(line.split())
    if code != ".."
}
WIDTH = SIZE * (1 + max(column for column, _ in GRID.values()))
HEIGHT = SIZE * (1 + max(row for _, row in GRID.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One country: where its tile stands (x, y, and the middle of its letters), and how it is painted."""

    code: str
    x: int
    y: int
    middle_x: float
    middle_y: float
    state: str
    title: str


def tiles(states: Mapping[str, str], titles: Mapping[str, str]) -> tuple[Tile, ...]:
    """Every tile; `states` names how a country is painted (`yes`, `wait`, `no`, ...), all others stay plain."""
    return tuple(
        Tile(
            code=code,
            x=column * SIZE,
            y=row * SIZE,
            middle_x=column * SIZE + (SIZE - GAP) / 2,
            middle_y=row * SIZE + (SIZE - GAP) / 2 + 3,
            state=states.get(code, "none"),
            title=titles.get(code, code),
        )
        for code, (column, row) in GRID.items()
    )
