"""An API server, as requests on plain JSON: what is asked goes out as it is, what is wrong comes as a fault.

Only here are requests made. Objects are plain data, since what a cluster serves is not known before it is
asked. A request that the server did not take for lack of room (429) is made again; others are the caller's
to repeat, who knows whether that is right.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import httpx2
import orjson
from lightkube.core.exceptions import ConfigError

from tonnage.cluster.connection import CONNECT_S_MAX, open_client
from tonnage.cluster.faults import (
    Action,
    BadKubeconfig,
    Busy,
    ClusterFault,
    Gone,
    Missing,
    Unreachable,
    fault_of,
)
from tonnage.cluster.kubeconfig import ClusterTarget, find_target
from tonnage.cluster.resources import Offered, Resource, read_aggregated, read_list

FIELD_MANAGER: Final = "tonnage"
Propagation = Literal["Foreground", "Background", "Orphan"]
_CHUNK: Final = 500
_TRIES_MAX: Final = 5
_WAIT_S_MAX: Final = 10.0
_BODY_MAX: Final = 64 * 1024
_AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects as they were at one version.

    Attributes:
        items: They.
        version: The version, from which a watch goes on.
    """

    items: tuple[dict[str, Any], ...]
    version: str


class Api:
    """One API server.

    Args:
        target: Which, and as whom.
        client: Its line; closed with the context.
    """

    def __init__(self, target: ClusterTarget, client: httpx2.AsyncClient) -> None:
        self.target = target
        self._client = client

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    @property
    def server(self) -> str:
        """Its address."""
        return self.target.server

    async def ask(
        self,
        method: str,
        path: str,
        action: Action,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Make one request.

        Args:
            method: Of HTTP.
            path: From the server's root.
            action: What it is, for messages.
            params: Of the query.
            body: An object.
            headers: Of HTTP.

        Returns:
            The status code, and the answer's object.

        Raises:
            ClusterFault: The server did not do it.
        """
        content = orjson.dumps(body) if body is not None else None
        for left in reversed(range(_TRIES_MAX)):
            request = self._request(method, path, params, content, headers)
            try:
                response = await self._client.send(request)
            except (httpx2.HTTPError, httpx2.InvalidURL, ConfigError, OSError) as error:
                raise self._lost(error, action) from error
            if response.is_success:
                return response.status_code, self._object(response, action)
            fault = self._fault(response, response.text[:_BODY_MAX], action)
            if not (isinstance(fault, Busy) and response.status_code == 429 and left):
                raise fault
            await asyncio.sleep(min(fault.wait_s if fault.wait_s is not None else 1.0, _WAIT_S_MAX))
        raise AssertionError  # the last try has returned or raised

    @asynccontextmanager
    async def stream(
        self, path: str, action: Action, *, params: Mapping[str, str], silence_s_max: float | None
    ) -> AsyncIterator[httpx2.Response]:
        """Open an answer that goes on.

        Args:
            path: From the server's root.
            action: What it is, for messages.
            params: Of the query.
            silence_s_max: Longest time in which nothing comes [s]; None for any.

        Yields:
            The response; reading it raises ``httpx2.HTTPError``, which ``lost`` turns into a fault.

        Raises:
            ClusterFault: The server did not begin it.
        """
        request = self._request("GET", path, params, None, None, read_s=silence_s_max)
        try:
            response = await self._client.send(request, stream=True)
        except (httpx2.HTTPError, ConfigError, OSError) as error:
            raise self._lost(error, action) from error
        try:
            if not response.is_success:
                try:
                    text = (await response.aread()).decode(errors="replace")[:_BODY_MAX]
                except httpx2.HTTPError as error:
                    raise self._lost(error, action) from error
                raise self._fault(response, text, action)
            yield response
        except httpx2.HTTPError as error:
            raise self._lost(error, action) from error
        finally:
            await response.aclose()

    async def read(self, resource: Resource, name: str, *, namespace: str | None) -> dict[str, Any]:
        """An object.

        Raises:
            Missing: There is none.
            ClusterFault: The server did not say.
        """
        action = Action("get", resource.title, name, namespace or "")
        return (await self.ask("GET", resource.path(namespace, name), action))[1]

    async def find(self, resource: Resource, name: str, *, namespace: str | None) -> dict[str, Any] | None:
        """An object; None where there is none."""
        try:
            return await self.read(resource, name, namespace=namespace)
        except Missing:
            return None

    async def list(
        self, resource: Resource, *, namespace: str | None, labels: str = "", fields: str = ""
    ) -> Listing:
        """All objects of a kind, page by page; their order is the server's.

        Args:
            resource: The kind.
            namespace: None for all.
            labels: Label selector.
            fields: Field selector.
        """
        action = Action("list", resource.title, "", namespace or "")
        given = {"labelSelector": labels, "fieldSelector": fields}
        given = {key: value for key, value in given.items() if value}
        while True:
            items: list[dict[str, Any]] = []
            params = {**given, "limit": str(_CHUNK)}
            try:
                while True:
                    _, page = await self.ask("GET", resource.path(namespace), action, params=params)
                    metadata = page.get("metadata") or {}
                    # a list's items do not say what they are
                    about = {"apiVersion": resource.api_version, "kind": resource.kind}
                    items += [{**about, **one} for one in page.get("items") or ()]
                    if not metadata.get("continue"):
                        return Listing(tuple(items), str(metadata.get("resourceVersion") or ""))
                    params = {**given, "limit": str(_CHUNK), "continue": metadata["continue"]}
            except Gone:  # it took longer than the server keeps old versions: begin again, all at once
                given["resourceVersion"] = "0"
                if "continue" not in params:
                    raise

    async def apply(
        self,
        resource: Resource,
        value: Mapping[str, Any],
        *,
        namespace: str | None,
        dry_run: bool = False,
        force: bool = False,
    ) -> tuple[bool, dict[str, Any]]:
        """Apply an object on the server's side, as field manager ``tonnage``.

        Args:
            resource: Its kind.
            value: The fields that are ours.
            namespace: Where; None for kinds without.
            dry_run: Only say what would be.
            force: Take fields over from other managers.

        Returns:
            Whether it is new, and the object.

        Raises:
            FieldConflict: Another manager has set a field otherwise.
            ClusterFault: The server did not do it.
        """
        name = str(value["metadata"]["name"])
        action = Action("patch", resource.title, name, namespace or "")
        params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        params |= {"dryRun": "All"} if dry_run else {}
        params |= {"force": "true"} if force else {}
        headers = {"content-type": "application/apply-patch+yaml"}
        status, answer = await self.ask(
            "PATCH", resource.path(namespace, name), action, params=params, body=value, headers=headers
        )
        return status == 201, answer

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None,
        uid: str = "",
        propagation: Propagation = "Background",
        grace_s: int | None = None,
    ) -> dict[str, Any]:
        """Begin an object's end.

        Args:
            resource: Its kind.
            name: Its name.
            namespace: Where; None for kinds without.
            uid: Which object of the name is meant; empty for any.
            propagation: What becomes of those that it owns.
            grace_s: Overrides the object's own time to end [s].

        Raises:
            Missing: There is none.
            Changed: The object of the name is another one.
        """
        action = Action("delete", resource.title, name, namespace or "")
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        return (await self.ask("DELETE", resource.path(namespace, name), action, body=body))[1]

    async def offered(self) -> Offered:
        """What the server offers, in two requests; in one per version where it is old."""
        action = Action("get", "/apis")
        headers = {"accept": _AGGREGATED}
        documents = [(await self.ask("GET", path, action, headers=headers))[1] for path in ("/api", "/apis")]
        if all(one.get("kind") == "APIGroupDiscoveryList" for one in documents):
            return read_aggregated(documents)
        found: list[Resource] = []
        stale: list[str] = []
        for api_version in _versions(documents):
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                found += read_list(api_version, (await self.ask("GET", path, action))[1])
            except (Busy, Missing, Unreachable):
                stale.append(api_version)
        return Offered(tuple(found), tuple(stale))

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        content: bytes | None,
        headers: Mapping[str, str] | None,
        read_s: float | None = 0.0,
    ) -> httpx2.Request:
        given = {"accept": "application/json", **(headers or {})}
        if content is not None:
            given.setdefault("content-type", "application/json")
        timeout: Any = httpx2.USE_CLIENT_DEFAULT
        if read_s != 0.0:
            timeout = httpx2.Timeout(read_s, connect=CONNECT_S_MAX, pool=None)
        server_name = self.target.cluster.get("tls-server-name")
        return self._client.build_request(
            method,
            path,
            params=dict(params or {}),
            content=content,
            headers=given,
            timeout=timeout,
            extensions={"sni_hostname": server_name} if server_name else None,
        )

    def _object(self, response: httpx2.Response, action: Action) -> dict[str, Any]:
        try:
            value = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            text = f"{self.server}: must answer {action.verb} {action.where}"
            raise Unreachable(f"{text} with an object in JSON")
        return value

    def _fault(self, response: httpx2.Response, text: str, action: Action) -> ClusterFault:
        return fault_of(
            response.status_code,
            text,
            action,
            server=self.server,
            retry_after=response.headers.get("retry-after", ""),
        )

    def _lost(self, error: Exception, action: Action) -> ClusterFault:
        """What an exception of the line means."""
        text = str(error) or type(error).__name__
        if isinstance(error, ConfigError):
            return BadKubeconfig(f"context {self.target.context}: {text}")
        if "CERTIFICATE_VERIFY_FAILED" in text:
            detail = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or text
            return Unreachable(
                f"{self.server}: its certificate must be one that context {self.target.context} trusts"
                f": {detail}; correct the kubeconfig's certificate-authority"
            )
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            what = "nobody answers in time" if isinstance(error, httpx2.ConnectTimeout) else text
            return Unreachable(
                f"{self.server}: must be reachable, got {what}"
                f"; is the cluster running, and is context {self.target.context} the one meant?"
            )
        return Unreachable(f"{self.server}: {action.verb} {action.where}: the connection was lost: {text}")


def open_api(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    namespace: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Api:
    """The API server that is meant; nothing is sent yet.

    Args:
        kubeconfig: A file; None looks where kubectl does.
        context: Name of a context in it; None for the current one.
        namespace: Overrides the context's.
        environment: Variables of the process.

    Raises:
        BadKubeconfig: No cluster is named, or its settings cannot be read.
        Unauthorized: The program that gives credentials failed.
    """
    target = find_target(
        kubeconfig=kubeconfig, context=context, namespace=namespace, environment=environment
    )
    return Api(target, open_client(target, environment))


def _versions(documents: list[dict[str, Any]]) -> list[str]:
    core, groups = documents
    listed = [str(one) for one in core.get("versions") or ()]
    for group in groups.get("groups") or ():
        listed += [str(one["groupVersion"]) for one in group.get("versions") or ()]
    return listed
