"""Who asks is known by certificate and headers, may what the API server says, and certificates rotate."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest
from multidict import CIMultiDict

from tonnage.metrics_api.api import MetricRequest
from tonnage.metrics_api.authorization import Authorizer, Wish
from tonnage.metrics_api.certificates import BadCertificate, ServingCertificate, generate
from tonnage.metrics_api.identity import Caller, NoFrontProxy, Unauthenticated, caller_of, front_proxy
from tonnage.metrics_api.ownership import owner_of

DATA = {
    "requestheader-client-ca-file": "-----BEGIN CERTIFICATE-----",
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-username-headers": '["X-Remote-User"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
}
PEER = {"subject": ((("commonName", "front-proxy-client"),),), "notAfter": "Jan  1 00:00:00 2030 GMT"}
NOW_S = 1.77e9
USER = ("X-Remote-User", "hpa")


def test_the_front_proxy_names_a_caller():
    """User, uid, groups and extras come from the headers that the cluster names."""
    headers = CIMultiDict([USER, ("x-remote-group", "a"), ("X-Remote-Group", "b"), ("X-Remote-Uid", "7")])
    headers.extend([("X-Remote-Extra-Some%2FKey", "1"), ("x-remote-extra-some%2fkey", "2")])
    caller = caller_of(front_proxy(DATA), PEER, headers, NOW_S)
    assert caller == Caller("hpa", "7", ("a", "b", "system:authenticated"), (("some/key", ("1", "2")),))


@pytest.mark.parametrize(
    ("peer", "headers", "why"),
    [
        (None, [USER], "through the API server"),
        ({}, [USER], "through the API server"),
        (PEER | {"subject": ((("commonName", "other"),),)}, [USER], "name that is allowed"),
        (PEER | {"subject": ()}, [USER], "name that is allowed"),
        (PEER | {"notAfter": "Jan  1 00:00:00 2020 GMT"}, [USER], "expired"),
        (PEER, [("X-Remote-Group", "system:masters")], "name a user"),
        (PEER, [("X-Remote-User", "")], "name a user"),
    ],
)
def test_anyone_else_is_nobody(peer, headers, why):
    """Without certificate, name or user there is no caller."""
    with pytest.raises(Unauthenticated, match=why):
        caller_of(front_proxy(DATA), peer, CIMultiDict(headers), NOW_S)


def test_the_anonymous_are_not_made_authenticated():
    """The group of those who are known is not added to the anonymous."""
    headers = CIMultiDict([("X-Remote-User", "system:anonymous"), ("X-Remote-Group", "system:unauthenticated")])
    assert caller_of(front_proxy(DATA), PEER, headers, NOW_S).groups == ("system:unauthenticated",)


def test_no_allowed_names_allow_any():
    """An empty list of names allows whom the authority vouches for, as the API server has it."""
    proxy = front_proxy(DATA | {"requestheader-allowed-names": "[]"})
    peer = PEER | {"subject": ((("commonName", "other"),),)}
    assert caller_of(proxy, peer, CIMultiDict([USER]), NOW_S).user == "hpa"


@pytest.mark.parametrize(
    "change", [{"requestheader-client-ca-file": ""}, {"requestheader-group-headers": "{"}, {"requestheader-uid-headers": "[1]"}]
)
def test_a_cluster_without_front_proxy_is_said(change):
    """Without an authority nobody could be known."""
    with pytest.raises(NoFrontProxy):
        front_proxy(DATA | change)


def test_answers_about_who_may_are_kept_for_seconds():
    """The API server is asked once in a while for each caller and wish; failures are not kept."""
    asked, now = [], [0.0]

    async def review(spec):
        asked.append(spec)
        if len(asked) == 1:
            raise OSError
        return spec["user"] == "hpa", "role"

    authorizer = Authorizer(review, 10.0, lambda: now[0])
    wish = Wish(metric=MetricRequest("v1beta2", "ns", "pods", "*", "p99"))

    async def scenario():
        with pytest.raises(OSError):
            await authorizer.allows(Caller("hpa"), wish)
        for at_s in (0.0, 9.9, 10.0):
            now[0] = at_s
            assert await authorizer.allows(Caller("hpa"), wish) == (True, "role")
        assert await authorizer.allows(Caller("other"), wish) == (False, "role")
        assert await authorizer.allows(Caller("hpa"), Wish(path="/apis")) == (True, "role")

    asyncio.run(scenario())
    assert len(asked) == 5
    resource = asked[1]["resourceAttributes"]
    assert (resource["resource"], resource["subresource"], resource["name"]) == ("pods", "p99", "*")
    assert asked[-1]["nonResourceAttributes"] == {"path": "/apis", "verb": "get"}


def handshake(server: ssl.SSLContext) -> bytes | None:
    """The certificate that a server shows, without sockets."""
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    pipes = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = server.wrap_bio(pipes[0], pipes[1], server_side=True), client.wrap_bio(pipes[1], pipes[0])
    for _ in range(6):
        for end in reversed(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    return ends[1].getpeercert(binary_form=True)


def test_a_new_certificate_is_shown_to_the_next_connection(tmp_path):
    """What a connection sees is what the files held last; a pair that does not fit changes nothing."""
    certificate, key = generate(tmp_path, ("localhost", "127.0.0.1"))
    authority = certificate.read_text()
    serving = ServingCertificate(certificate, key, authority)
    first = handshake(serving.context)
    assert not serving.refresh(authority)
    generate(tmp_path / "new", ("localhost",))
    key.write_bytes((tmp_path / "new" / "tls.key").read_bytes())
    with pytest.raises(BadCertificate):
        serving.refresh(authority)
    assert handshake(serving.context) == first
    certificate.write_bytes((tmp_path / "new" / "tls.crt").read_bytes())
    assert serving.refresh(authority)
    second = handshake(serving.context)
    assert second == ssl.PEM_cert_to_DER_cert(certificate.read_text()) != first
    assert key.stat().st_mode & 0o077 == 0


def test_without_files_there_is_no_certificate(tmp_path):
    """Nothing is made in silence."""
    with pytest.raises(BadCertificate):
        ServingCertificate(tmp_path / "none.crt", tmp_path / "none.key", "")


@pytest.mark.parametrize(
    ("service", "whose", "words"),
    [
        (None, "nobody", "by nobody"),
        ({"service": {"namespace": "a", "name": "b"}}, "ours", "a/b, as it should"),
        ({"service": {"namespace": "m", "name": "adapter"}}, "other", "belongs to m/adapter"),
        ({}, "other", "belongs to the API server itself"),
    ],
)
def test_whose_the_api_is(service, whose, words):
    """An APIService is ours by the Service that it names."""
    owner = owner_of("v1beta2", None if service is None else {"spec": service}, "a/b")
    assert owner.whose == whose
    assert words in str(owner)
    assert json.dumps(str(owner))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "adapter, which"),
        ({"annotations": {"meta.helm.sh/release-name": "pa", "meta.helm.sh/release-namespace": "m"}}, "Helm release m/pa"),
        (
            {
                "managedFields": [
                    {"manager": "kubectl", "fieldsV1": {"f:spec": {}}},
                    {"manager": "kube-apiserver", "fieldsV1": {"f:status": {}}},
                ]
            },
            "written by kubectl",
        ),
    ],
)
def test_who_installed_another_owner_is_said(metadata, words):
    """So that whoever reads it knows whom to ask."""
    spec = {"service": {"namespace": "m", "name": "adapter"}}
    assert words in str(owner_of("v1beta1", {"metadata": metadata, "spec": spec}, "a/b"))
