"""Capture of pages with a real browser, and what shows how it was done. Knows no database."""
