"""Erasure: one order, carried out by every service on its own keys and told in its own history (docs/decisions/0012-erasure.md)."""
