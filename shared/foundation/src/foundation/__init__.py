"""What every Tongxin service stands on: event store, commands, projections, relay, reactions, vault, HTTP. No union words."""
