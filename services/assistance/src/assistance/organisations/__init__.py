"""The unions as assistance sees them: on which level each one stands."""
