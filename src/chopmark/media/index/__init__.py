"""The index of codes: immutable segments, a flat delta, tombstones; the rows that it is made from are the truth."""
