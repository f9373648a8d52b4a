"""Staff appointments 任用: who may act for which organisation in which role, from when to when. Every service follows them."""
