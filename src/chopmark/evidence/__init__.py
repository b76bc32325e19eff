"""Deposits and receipts: the pure part that anybody can recompute, and the paperwork around it."""
