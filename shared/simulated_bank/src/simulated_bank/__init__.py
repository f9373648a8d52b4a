"""A bank to try payments with. It shares no code with the services, so what its log says is evidence of its own."""
