"""The command line of ``tonnage train``, as far as it goes without a cluster."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tonnage.cli.train import COMMANDS, train
from tonnage.cluster.faults import BadKubeconfig


def run(*words):
    return CliRunner().invoke(train, list(words))


def test_every_command_loads_and_says_what_it_does():
    for name in COMMANDS:
        result = run(name, "--help")
        assert result.exit_code == 0, result.output
        assert result.output.startswith(f"Usage: train {name} ")
    assert all(name in run("--help").output for name in COMMANDS)


@pytest.mark.parametrize("name", ["a,b=c", "A", "-x", "a/b", "x" * 64, ""])
def test_a_name_that_no_training_can_have_goes_into_no_request(name):
    result = run("status", "--", name)
    assert result.exit_code == 2
    assert "must be lower-case letters, digits and -" in result.output


def test_a_namespace_that_cannot_be_goes_into_no_request():
    assert run("list", "-n", "../x").exit_code == 2


def test_what_is_over_is_not_followed():
    assert "--previous: must not be given with --follow" in str(run("logs", "x", "-p", "-f").exception)


def test_a_cluster_that_is_not_named_is_a_fault(tmp_path):
    result = run("list", "--kubeconfig", str(tmp_path / "none"))
    assert isinstance(result.exception, BadKubeconfig)
