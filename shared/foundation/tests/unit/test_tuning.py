"""The garbage collector's thresholds."""

import gc
from contextlib import suppress

from foundation.tuning import GENERATIONS, GENERATIONS_IN_BULK, in_bulk


def test_a_bulk_ends_with_the_usual_thresholds_also_where_it_fails() -> None:
    before = gc.get_threshold()
    try:
        with suppress(LookupError), in_bulk():
            assert gc.get_threshold() == GENERATIONS_IN_BULK
            raise LookupError
        assert gc.get_threshold() == GENERATIONS
    finally:
        gc.set_threshold(*before)
