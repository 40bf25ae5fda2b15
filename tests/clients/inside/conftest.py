"""Where the servers are: told by the test that started them."""

from __future__ import annotations

import json
import os

import pytest


def _addresses(protocol: str) -> dict[str, str]:
    told = json.loads(os.environ["TONNAGE_TEST_SERVERS"])
    return {model: one[protocol] for model, one in told.items()}


@pytest.fixture(scope="session")
def http() -> dict[str, str]:
    """Model to ``host:port`` of HTTP."""
    return _addresses("http")


@pytest.fixture(scope="session")
def grpc() -> dict[str, str]:
    """Model to ``host:port`` of gRPC."""
    return _addresses("grpc")
