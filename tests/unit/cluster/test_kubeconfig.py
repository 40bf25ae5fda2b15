"""Which cluster is meant, as kubectl would find it."""

from __future__ import annotations

import json
import os

import pytest

from tonnage.cluster.faults import BadKubeconfig
from tonnage.cluster.kubeconfig import find_target


def write(path, *, name="one", server="https://one:6443", current=None, namespace=None, user=None):
    context = {"cluster": name, "user": name}
    if namespace:
        context["namespace"] = namespace
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": "ca.crt"}}],
        "contexts": [{"name": name, "context": context}],
        "users": [{"name": name, "user": user or {"token": "t"}}],
    }
    if current is not None:
        document["current-context"] = current
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_a_named_file_goes_before_all_others(tmp_path):
    file = write(tmp_path / "a", current="one", namespace="ml")
    target = find_target(kubeconfig=file, environment={"KUBECONFIG": "/nowhere"})
    assert (target.server, target.namespace, target.context) == ("https://one:6443", "ml", "one")


def test_of_several_files_the_first_that_has_a_name_wins(tmp_path):
    first = write(tmp_path / "a" / "c", name="one", server="https://one:1")
    second = write(tmp_path / "b" / "c", name="one", server="https://other:1", current="one")
    environment = {"KUBECONFIG": os.pathsep.join((str(first), str(tmp_path / "none"), str(second)))}
    target = find_target(environment=environment)
    assert target.server == "https://one:1"
    assert target.cluster["certificate-authority"] == str(tmp_path / "a" / "ca.crt")


def test_the_home_folder_comes_next(tmp_path):
    write(tmp_path / ".kube" / "config", current="one")
    assert find_target(environment={"HOME": str(tmp_path)}).server == "https://one:6443"


def test_a_pod_uses_its_own_account_where_there_is_no_file(tmp_path):
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("jobs")
    environment = {"HOME": str(tmp_path / "h"), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    target = find_target(environment=environment, account=tmp_path)
    assert (target.server, target.namespace, target.context) == ("https://[fd00::1]:443", "jobs", "in-cluster")
    assert target.user == {"tokenFile": str(tmp_path / "token")}


def test_the_namespace_of_the_command_line_wins(tmp_path):
    file = write(tmp_path / "a", current="one", namespace="ml")
    assert find_target(kubeconfig=file, namespace="x", environment={}).namespace == "x"


def test_a_program_of_credentials_is_found_beside_the_file(tmp_path):
    file = write(tmp_path / "a", current="one", user={"exec": {"command": "./bin/login", "apiVersion": "v"}})
    target = find_target(kubeconfig=file, environment={})
    assert target.user["exec"]["command"] == f"{tmp_path}/bin/login"
    file = write(tmp_path / "a", current="one", user={"exec": {"command": "login", "apiVersion": "v"}})
    assert find_target(kubeconfig=file, environment={}).user["exec"]["command"] == "login"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"current": "two"}, "must have the context two; contexts: one"),
        ({}, "must have a current-context, or give --context; contexts: one"),
        ({"current": "one", "server": "one:6443"}, "its server must be such as https://host:6443, got 'one:6443'"),
        ({"current": "one", "server": "http://one"}, "must be https, got http://one: credentials would be readable"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, change, text):
    file = write(tmp_path / "a", **change)
    with pytest.raises(BadKubeconfig, match=None) as caught:
        find_target(kubeconfig=file, environment={})
    assert text in str(caught.value)


def test_a_proxy_on_this_machine_may_be_plain(tmp_path):
    """As ``kubectl proxy`` is."""
    file = write(tmp_path / "a", current="one", server="http://127.0.0.1:8001")
    assert find_target(kubeconfig=file, environment={}).server == "http://127.0.0.1:8001"


@pytest.mark.parametrize("text", ["[1, 2]", "{", "a: b: c", "clusters: [{cluster: {}}]", "\x00"])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "a").write_text(text)
    with pytest.raises(BadKubeconfig):
        find_target(kubeconfig=tmp_path / "a", environment={})


def test_no_cluster_at_all_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(BadKubeconfig) as caught:
        find_target(environment={"HOME": str(tmp_path)}, account=tmp_path)
    assert str(caught.value) == (
        f"cluster: must be named by a kubeconfig, and there is none at {tmp_path}/.kube/config"
        "; give --kubeconfig FILE or set KUBECONFIG"
    )
