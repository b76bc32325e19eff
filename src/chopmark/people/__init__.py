"""Accounts, organisations, roles, invitations, keys."""
