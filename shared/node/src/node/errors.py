"""What can go wrong for the person at the keyboard: one sentence, one remedy, one exit code."""


class NodeError(Exception):
    """A failure with its remedy; the command line prints both, without a traceback."""

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


class UsageError(NodeError):
    """The command cannot be carried out as it was given."""

    exit_code = 2


class Interrupted(NodeError):
    """Somebody pressed Ctrl-C; what goes on without them, and how to go on."""

    exit_code = 130


class NotRunning(NodeError):
    """The command needs a node that runs."""

    exit_code = 3


class NotReady(NodeError):
    """The node, or one of its services, does not answer as it should."""

    exit_code = 4


class Refused(NodeError):
    """A service refused the request; the sentence is the service's own."""

    exit_code = 5


def of_file(error: OSError) -> str:
    """What the system says about a file, with the file's name where it is known."""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error.strerror or str(error)
