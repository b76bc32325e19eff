"""The paperwork of filings and orders. No behaviour: changed by `cases.actions`, read by `cases.queries`."""
