"""The index of codes: immutable segments, what is recent in memory, tombstones; the rows it is made from are the truth.

bands      near codes among many, by tables of bands      segment    one file of codes and tables
codes      the index over a folder and its rows
"""

from chopmark.media.index.codes import RADIUS, CodeIndex, Found, Size, Source

__all__ = ["RADIUS", "CodeIndex", "Found", "Size", "Source"]
