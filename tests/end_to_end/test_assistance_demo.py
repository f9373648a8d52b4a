"""`tongxin demo assistance` on a living node."""

from pathlib import Path

import pytest

from .test_operator import done, folder

__all__ = ["folder"]

pytestmark = pytest.mark.timeout(900)  # a whole node is started, and restarted several times


def test_the_demo_of_aid_is_played_again_and_again(folder: Path) -> None:
    """Kidney failure: each time another worker, each step proved, and afterwards the node pays through no bank, as before."""
    before = (folder / "node.json").read_text()
    for _ in range(2):
        told = done(folder, "demo", "assistance")
        assert told.count("银行回报") == told.count("The bank says") == 2
        assert told.count("leaf ") == told.count("in the checkpoint of ")
    assert "合计 36,000 元" in told
    assert (folder / "node.json").read_text() == before
    assert "whole" in done(folder, "log", "verify", "assistance")
