"""Whatever pytest's hooks say reaches a guest: adapter, segment, intake, journal and sink are real.

In CI always the same examples. For more, and others each time:
PYTEST_HOST_TEST_EXAMPLES=1000 python -m pytest e2e/test_property.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from support import variables
from support.adapter import Core, Session
from support.installation import Folders
from support.playing import Player
from support.stories import Story, stories

#: Enough to meet every branch, little enough for every run.
EXAMPLES = 80


@pytest.fixture(scope="module")
def core(
    tmp_path_factory: pytest.TempPathFactory, folders: Folders, guests: Path
) -> Iterator[Core]:
    core = Core(tmp_path_factory.mktemp("core"), folders, guests)
    yield core
    core.end()


@settings(
    max_examples=int(variables.EXAMPLES or EXAMPLES),
    derandomize=not variables.EXAMPLES,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    # Shrinking takes minutes, and the same examples fail elsewhere.
    phases=[Phase.generate, *([Phase.shrink] if variables.EXAMPLES else [])],
)
@given(story=stories())
def test_what_hooks_say_is_what_a_guest_gets(
    story: Story, core: Core, request: pytest.FixtureRequest
) -> None:
    player = play(story, core, request.session)
    events = core.events()
    note(f"{len(events)} events")
    player.compare(events)


def play(story: Story, core: Core, session: pytest.Session) -> Player:
    told = Session(core, session.config, alive=not story.died, text_bytes=story.text_bytes)
    player = Player(story, told, session)
    player.play()
    told.close()
    assert not told.broken
    return player
