"""One world for all tests of this folder: starting it takes most of their time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlplane.binaries import NoGo
from controlplane.network import NoNetwork
from controlplane.sandbox import Hidden

from cluster.world import HERE, SYNC_S, Inputs, World


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service with two replicas, rendered, applied and ready."""
    control = {"horizontal-pod-autoscaler-sync-period": f"{SYNC_S:g}s"}
    inputs = Inputs(HERE / "service.yaml", HERE / "sleeper.profile.json", control)
    try:
        with World(tmp_path_factory.mktemp("world"), inputs) as started:
            started.render()
            started.deploy()
            yield started
    except (Hidden, NoGo, NoNetwork) as error:
        pytest.skip(str(error))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them need a control plane, and time."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(600))
