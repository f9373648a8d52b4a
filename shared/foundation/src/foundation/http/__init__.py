"""HTTP as every service speaks it: problem details, tokens, idempotency keys, entity tags, positions (DESIGN 8)."""
