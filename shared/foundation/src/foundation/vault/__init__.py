"""The vault: keys per person and purpose, blind index, search tables, erasure. Its own PostgreSQL instance per node (DESIGN 3)."""
