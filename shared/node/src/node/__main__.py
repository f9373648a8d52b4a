"""`python -m node` is `tongxin`."""

from node.cli import main

main()
