"""The limits (bare asyncpg, aiokafka, hashlib) and the peers (eventsourcing, emmett, message-db), each a program of its own."""
