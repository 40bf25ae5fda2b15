"""Plain objects to and from a control plane: server-side apply with strict fields, and what it warns of.

It looks up where a kind lives in the server's own discovery, so that it works for kinds of any operator.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.plane import ControlPlane, wait_until

MANAGER = "tonnage"
Plain = dict[str, Any]


class Refused(Exception):
    """The API server's answer is an error.

    Attributes:
        code: HTTP status.
        reason: As in the API's ``Status``.
        message: The same.
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason, self.message = code, reason, message


@dataclass(frozen=True, slots=True)
class _Place:
    plural: str
    namespaced: bool


class Api:
    """An administrator's client.

    Attributes:
        warnings: Every warning that the server sent with an answer, oldest first.
    """

    def __init__(self, plane: ControlPlane) -> None:
        self._url = plane.url
        self._context = ssl.create_default_context(cafile=str(plane.cluster.certificate))
        user = json.loads(plane.kubeconfig.read_text())["users"][0]["user"]
        self._context.load_cert_chain(user["client-certificate"], user["client-key"])
        self._places: dict[str, dict[str, _Place]] = {}
        self.warnings: list[str] = []

    def ask(self, method: str, path: str, body: Any = None, media: str = "application/json") -> Plain:
        """One request; JSON both ways.

        Raises:
            Refused: The status is 400 or more.
        """
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data, {"content-type": media}, method=method)
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=60) as answer:
                self.warnings += answer.headers.get_all("warning") or []
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            try:
                status = json.loads(text)
                raise Refused(error.code, status.get("reason", ""), status.get("message", "")) from None
            except ValueError:
                raise Refused(error.code, "", text) from None

    def served(self) -> frozenset[tuple[str, str, str]]:
        """Every (group, version, plural) that the server offers."""
        found = {("", "v1", plural) for plural in self._plurals("/api/v1")}
        for group in self.ask("GET", "/apis")["groups"]:
            for version in group["versions"]:
                plurals = self._plurals(f"/apis/{version['groupVersion']}")
                found |= {(group["name"], version["version"], plural) for plural in plurals}
        return frozenset(found)

    def create(self, value: Plain, namespace: str = "default") -> Plain:
        """Create an object as it is."""
        return self.ask("POST", f"{self._collection(value, namespace)}?fieldManager={MANAGER}", value)

    def apply(self, value: Plain, namespace: str = "default", *, dry_run: bool = False) -> Plain:
        """Server-side apply with strict field validation.

        Raises:
            Refused: For an unknown field too, and for one of another manager.
        """
        query = f"fieldManager={MANAGER}&fieldValidation=Strict{'&dryRun=All' if dry_run else ''}"
        path = f"{self._collection(value, namespace)}/{value['metadata']['name']}?{query}"
        return self.ask("PATCH", path, value, "application/apply-patch+yaml")

    def get(self, version: str, kind: str, name: str, namespace: str = "default") -> Plain:
        """One object."""
        return self.ask("GET", f"{self._path(version, kind, namespace)}/{name}")

    def find(self, version: str, kind: str, namespace: str | None = "default", selector: str = "") -> list[Plain]:
        """All objects of a kind, in one namespace or (None) in all, that a label selector takes."""
        query = "?" + urllib.parse.urlencode({"labelSelector": selector}) if selector else ""
        items = self.ask("GET", self._path(version, kind, namespace) + query)["items"]
        return [{"apiVersion": version, "kind": kind, **one} for one in items]

    def patch(self, version: str, kind: str, name: str, change: Plain, namespace: str = "default", part: str = "") -> Plain:
        """Merge a change into an object, or into one of its subresources."""
        path = f"{self._path(version, kind, namespace)}/{name}{'/' + part if part else ''}"
        return self.ask("PATCH", path, change, "application/merge-patch+json")

    def delete(self, version: str, kind: str, name: str, namespace: str = "default") -> None:
        """Delete one object; its dependants go in the background."""
        self.ask("DELETE", f"{self._path(version, kind, namespace)}/{name}?propagationPolicy=Background")

    def namespace(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Make a namespace, unless it is there, and wait until pods may be made in it."""
        metadata = {"name": name, "labels": dict(labels or {})}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

        def has_account() -> bool:
            return any(one["metadata"]["name"] == "default" for one in self.find("v1", "ServiceAccount", name))

        if not wait_until(has_account, 30.0):
            raise TimeoutError(f"namespace {name}: has no default service account after 30 s")
        return name

    def define(self, definitions: Sequence[Plain]) -> None:
        """Apply CustomResourceDefinitions, and wait until the server serves all that they define."""
        for one in definitions:
            self.apply(one)

        def established(name: str) -> bool:
            found = self.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
            conditions = found.get("status", {}).get("conditions") or []
            return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

        names = [one["metadata"]["name"] for one in definitions]
        if not wait_until(lambda: all(map(established, names)), 30.0):
            raise TimeoutError(f"not established after 30 s: {', '.join(names)}")
        self._places.clear()

    def _plurals(self, root: str) -> list[str]:
        return [one["name"] for one in self.ask("GET", root)["resources"] if "/" not in one["name"]]

    def _collection(self, value: Plain, namespace: str) -> str:
        return self._path(value["apiVersion"], value["kind"], value["metadata"].get("namespace", namespace))

    def _path(self, version: str, kind: str, namespace: str | None) -> str:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind not in self._places.get(root, {}):
            answer = self.ask("GET", root)
            self._places[root] = {
                one["kind"]: _Place(one["name"], one["namespaced"])
                for one in answer["resources"]
                if "/" not in one["name"]
            }
        place = self._places[root].get(kind)
        if place is None:
            raise Refused(404, "NotFound", f"the server has no kind {kind} in {version}")
        where = f"/namespaces/{namespace}" if place.namespaced and namespace is not None else ""
        return f"{root}{where}/{place.plural}"
