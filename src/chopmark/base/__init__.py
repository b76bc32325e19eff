"""What every room stands on: errors, the clock, digests, deterministic CBOR, bilingual wording."""
