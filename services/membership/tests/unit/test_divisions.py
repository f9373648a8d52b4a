from datetime import date

import pytest
from contracts.values import division
from membership.organisations.divisions import DivisionsUnreadable, foundings

HEADING = "code,name,level,parent"


def test_a_row_is_named_as_a_table_program_shows_it() -> None:
    top = division("3709")
    lines = [HEADING, "3709,泰安市,city,", "370902,泰山区,district,3709"]
    with pytest.raises(DivisionsUnreadable) as refused:
        list(foundings(lines, top=top, below=top, effective_on=date(2026, 3, 2)))
    assert refused.value.members["row"] == 3
