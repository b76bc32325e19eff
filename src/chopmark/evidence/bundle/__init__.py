"""The evidence bundle: an ASiC-E container that verifies alone. Written, read and checked without a framework."""
