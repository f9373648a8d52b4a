"""The broker: Kafka carries the histories between services. What arrives is a hint; the source's answer is the truth (DESIGN 6)."""
