"""What follows from evidence: filings at courts and orders at notaries, and what they answer."""
