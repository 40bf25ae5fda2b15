"""The line to a server: proxies, verification, programs that give credentials."""

from __future__ import annotations

import asyncio
import json
import stat

import httpx2
import pytest

from tonnage.cluster.connection import is_verified, open_client, proxy_of
from tonnage.cluster.credentials import ProgramAuth, ask_program, read_credential
from tonnage.cluster.faults import BadKubeconfig, Unauthorized
from tonnage.cluster.kubeconfig import ClusterTarget

SERVER = "https://api.example.com:6443"


def target(**cluster):
    return ClusterTarget(SERVER, "default", "c", {"server": SERVER, **cluster}, {})


@pytest.mark.parametrize(
    ("no_proxy", "goes_through"),
    [
        ("", True),
        ("*", False),
        ("example.com", False),
        (".example.com", False),
        ("*.example.com", False),
        ("ample.com", True),
        ("api.example.com:6443", False),
        ("api.example.com:443", True),
        ("other.com, api.example.com", False),
        ("10.0.0.0/8", True),
    ],
)
def test_no_proxy_spares_the_hosts_that_it_names(no_proxy, goes_through):
    environment = {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": no_proxy}
    assert (proxy_of(SERVER, environment) == "http://proxy:3128") is goes_through


def test_addresses_are_spared_by_networks_and_this_machine_always():
    environment = {"https_proxy": "http://proxy:1", "no_proxy": "10.0.0.0/8,fd00::/8"}
    assert proxy_of("https://10.9.8.7:6443", environment) is None
    assert proxy_of("https://[fd00::1]:6443", environment) is None
    assert proxy_of("https://11.0.0.1:6443", environment) == "http://proxy:1"
    assert proxy_of("https://127.0.0.1:6443", environment) is None
    assert proxy_of("https://localhost:6443", environment) is None


def test_the_proxy_of_the_kubeconfig_goes_first():
    environment = {"HTTPS_PROXY": "http://other:1", "NO_PROXY": "*"}
    assert proxy_of(SERVER, environment, "http://named:1") == "http://named:1"


def test_without_an_authority_the_public_ones_are_trusted_and_only_a_flag_trusts_all():
    assert is_verified(target())
    assert is_verified(target(**{"certificate-authority-data": "x", "insecure-skip-tls-verify": True}))
    assert not is_verified(target(**{"insecure-skip-tls-verify": True}))


@pytest.mark.parametrize(
    "cluster", [{"certificate-authority": "/nowhere/ca.crt"}, {"certificate-authority-data": "bm9uZQ=="}]
)
def test_an_authority_that_cannot_be_read_is_a_fault(cluster):
    with pytest.raises(BadKubeconfig, match=r"^context c: "):
        open_client(target(**cluster), {})


def program(tmp_path, text):
    path = tmp_path / "login"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}


def credential(**status):
    return json.dumps({"kind": "ExecCredential", "status": status})


def test_a_program_is_told_which_version_is_spoken_and_which_cluster_is_meant(tmp_path):
    settings = program(tmp_path, f"echo \"$KUBERNETES_EXEC_INFO\" > {tmp_path}/info; echo '{credential(token='t')}'")
    settings |= {"provideClusterInfo": True, "env": [{"name": "X", "value": "1"}]}
    assert ask_program(settings, {"server": SERVER}).token == "t"
    told = json.loads((tmp_path / "info").read_text())
    assert told["apiVersion"] == "client.authentication.k8s.io/v1"
    assert told["spec"] == {"interactive": False, "cluster": {"server": SERVER}}


def test_a_program_that_is_not_there_says_how_it_is_got(tmp_path):
    settings = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": str(tmp_path / "gone"),
        "installHint": "install the cloud's command line",
    }
    with pytest.raises(BadKubeconfig, match=r"and is not; install the cloud's command line$"):
        ask_program(settings, {})


def test_a_program_that_fails_is_not_who_we_are(tmp_path):
    with pytest.raises(Unauthorized, match=r"and ended with 3$"):
        ask_program(program(tmp_path, "exit 3"), {})


@pytest.mark.parametrize("text", ["", "[]", "{}", credential(), credential(token="t", expirationTimestamp="soon")])
def test_what_holds_no_credential_is_refused(text):
    with pytest.raises(Unauthorized):
        read_credential(text.encode(), "login")


def test_a_version_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(BadKubeconfig, match="its apiVersion must be one of"):
        ask_program({**program(tmp_path, ""), "apiVersion": "v9"}, {})


def test_a_token_is_used_until_it_is_refused_and_then_asked_for_again(tmp_path):
    count = f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > {tmp_path}/n"
    settings = program(tmp_path, f"{count}; printf '{{\"status\": {{\"token\": \"t%s\"}}}}' $n")
    seen = []

    def answer(request):
        seen.append(request.headers["authorization"])
        return httpx2.Response(200 if request.headers["authorization"] != "Bearer t1" or len(seen) < 3 else 401)

    async def run():
        transport = httpx2.MockTransport(answer)
        async with httpx2.AsyncClient(transport=transport, auth=ProgramAuth(settings, {})) as client:
            for _ in range(3):
                await client.get(SERVER)

    asyncio.run(run())
    assert seen == ["Bearer t1", "Bearer t1", "Bearer t1", "Bearer t2"]


def test_a_token_that_has_expired_is_not_sent(tmp_path):
    first = read_credential(credential(token="old", expirationTimestamp="2020-01-01T00:00:00Z").encode(), "x")
    settings = program(tmp_path, f"echo '{credential(token='new')}'")
    seen = []

    def answer(request):
        seen.append(request.headers["authorization"])
        return httpx2.Response(200)

    async def run():
        auth = ProgramAuth(settings, {}, first)
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), auth=auth) as client:
            await client.get(SERVER)

    asyncio.run(run())
    assert seen == ["Bearer new"]
