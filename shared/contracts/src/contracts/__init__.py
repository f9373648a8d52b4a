"""The published language of Tongxin: events, value types and what they mean, one module per service."""
