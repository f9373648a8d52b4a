"""What every group of commands shares: where words go, the data folder that is meant, failures as one sentence, a progress bar."""

import functools
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node.embedded.postgres import PostgresFailed
from node.errors import Interrupted, NodeError, of_file
from node.folder import DataFolder, default_root
from node.importing import Report

out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)

P = ParamSpec("P")
R = TypeVar("R")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar="TONGXIN_DATA_DIR", help="Everything the node keeps. Default: .tongxin in this folder."),
]
Unused = Annotated[Path | None, typer.Option("--data-dir", help="Taken, as by every command, and not looked at.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def command(group: typer.Typer, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a command whose failures are one sentence and a remedy, never a traceback."""

    def register(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except NodeError as error:
                raise _said(error) from error
            except PostgresFailed as error:
                raise _said(NodeError(str(error))) from error
            except OSError as error:
                raise _said(NodeError(of_file(error))) from error
            except KeyboardInterrupt as error:
                raise _said(Interrupted("interrupted")) from error

        return group.command(name)(guarded)

    return register


def _said(error: NodeError) -> typer.Exit:
    """The failure, told on stderr, as the end of the command."""
    err.print(f"error: {visible(error.what)}", markup=False)
    if error.remedy:
        err.print(f"  {visible(error.remedy)}", markup=False)
    return typer.Exit(error.exit_code)


def visible(text: str) -> str:
    """A text from elsewhere without what a terminal would obey instead of showing it."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cf") and letter != "\n" else letter for letter in text
    )


def opened(data_dir: Path | None) -> DataFolder:
    """The data folder that is meant."""
    return DataFolder(data_dir or default_root())


@contextmanager
def progress(what: str) -> Iterator[Report]:
    """A bar that goes to stderr, where somebody looks."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
