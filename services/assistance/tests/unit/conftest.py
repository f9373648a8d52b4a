"""A county, as most stories about aid begin."""

import pytest

from .test_programmes import CHAIR, EMERGENCY, MEDICAL, TUITION, WARMTH
from .world import YUAN, World


@pytest.fixture
def world() -> World:
    """A county with 10,000 yuan, the programmes, and a household in deep hardship."""
    world = World()
    for code, rules in (
        *(("medical-relief", MEDICAL), ("winter-warmth", WARMTH), ("autumn-tuition", TUITION)),
        *(("chair-protection", CHAIR), ("emergency-relief", EMERGENCY)),
    ):
        world.publish(code, rules)
    world.fund(10_000 * YUAN)
    world.household()
    return world
