"""The `tongxin` command and the embedded runtime of a node."""
