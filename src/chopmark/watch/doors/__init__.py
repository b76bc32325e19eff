"""Where listings come in: files and object storage, HTTP pushes, message brokers. Each ends in `listing.clean`.

Adapters only: what a listing is, what is flagged and what is refused is `listing`'s matter, and what becomes of it the
feed's or a scan's.
"""
