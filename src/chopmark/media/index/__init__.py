"""The index of codes: immutable segments, what is recent in memory, tombstones; the rows it is made from are the truth.

bands      near codes among many, by tables of bands      segment    one file of codes and tables
codes      the index over a folder and its rows
"""

BITS = 256
"""Of a code."""
SIZE = BITS // 8
RADIUS = 31
"""Bits; the distance at which PDQ codes are held to be of one picture."""
