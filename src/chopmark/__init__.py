"""Chopmark: deposits, receipts and offline verification of intellectual property evidence."""

__version__ = "0.1.0"
