"""The real scheduler, for all comparisons with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.scheduling.oracle import Oracle
from tests.upstream.build import NoGo, program


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """The real scheduler; built when it is not there yet, which takes minutes the first time."""
    try:
        built = program("scheduler")
    except NoGo as missing:
        pytest.skip(str(missing))
    with Oracle(built) as running:
        yield running
