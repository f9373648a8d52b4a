"""The event store: an append-only history with gapless positions in commit order (DESIGN 3)."""
