"""`tongxin log`: what an auditor does with a history's transparency log, on the node or with nothing but exported files."""

import typer

log = typer.Typer(no_args_is_help=True, help="Verify, export and prove histories.")
