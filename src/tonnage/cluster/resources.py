"""What an API server offers: which kinds, by which names, in which versions. Reads discovery's answers; pure.

Source: kubernetes v1.37.2, apiserver pkg/endpoints/discovery/aggregated (one document for all groups, since
1.27), apimachinery pkg/apis/meta/v1/types.go (APIResourceList, for servers that do not have it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tonnage.cluster.faults import kind_missing


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object, as an API server serves it.

    Attributes:
        group: Empty for the core group.
        version: Such as ``v1``.
        kind: Such as ``Job``.
        plural: Such as ``jobs``.
        namespaced: Whether its objects live in namespaces.
        verbs: What can be done.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    verbs: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """Group and version as objects write them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def title(self) -> str:
        """As roles and messages name it, such as ``jobs.batch``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Path of an object, or of all of them.

        Args:
            namespace: None for all, and for kinds that have none.
            name: None for all.
        """
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        space = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{base}{space}/{self.plural}" + (f"/{name}" if name else "")


PODS = Resource("", "v1", "Pod", "pods")
EVENTS = Resource("", "v1", "Event", "events")
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)


@dataclass(frozen=True, slots=True)
class Offered:
    """All that an API server offers.

    Attributes:
        resources: Every version of every kind, the server's preferred version of a group first.
        stale: Groups whose own server did not answer, as ``group/version``; what they have is not known.
    """

    resources: tuple[Resource, ...]
    stale: tuple[str, ...] = ()

    @property
    def served(self) -> frozenset[tuple[str, str, str]]:
        """(group, version, plural) of each."""
        return frozenset((one.group, one.version, one.plural) for one in self.resources)

    def find(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object; None where it is not offered."""
        for one in self.resources:
            if one.kind == kind and one.api_version == api_version:
                return one
        return None

    def of(self, value: Mapping[str, Any]) -> Resource:
        """The resource of an object.

        Raises:
            KindMissing: The server does not have it.
        """
        api_version, kind = str(value["apiVersion"]), str(value["kind"])
        found = self.find(api_version, kind)
        if found is not None:
            return found
        if api_version in self.stale:
            raise kind_missing(api_version, kind, "it is registered, and its own server does not answer now")
        others = [one.api_version for one in self.resources if one.kind == kind]
        raise kind_missing(api_version, kind, f"it has {', '.join(others)}" if others else "")


def read_aggregated(documents: Iterable[Mapping[str, Any]]) -> Offered:
    """Read ``APIGroupDiscoveryList`` documents: of ``/api`` and of ``/apis``."""
    found: list[Resource] = []
    stale: list[str] = []
    for document in documents:
        for group in document.get("items") or ():
            name = str((group.get("metadata") or {}).get("name") or "")
            for version in group.get("versions") or ():
                text = str(version.get("version"))
                if version.get("freshness") == "Stale":
                    stale.append(f"{name}/{text}")
                found += [_aggregated(name, text, one) for one in version.get("resources") or ()]
    return Offered(tuple(found), tuple(stale))


def read_list(api_version: str, document: Mapping[str, Any]) -> list[Resource]:
    """Read the ``APIResourceList`` of one version; parts of objects, such as ``pods/log``, are left out."""
    group, _, version = api_version.rpartition("/")
    return [
        Resource(
            group,
            version,
            str(one["kind"]),
            str(one["name"]),
            bool(one.get("namespaced")),
            frozenset(one.get("verbs") or ()),
        )
        for one in document.get("resources") or ()
        if "/" not in one["name"]
    ]


def _aggregated(group: str, version: str, one: Mapping[str, Any]) -> Resource:
    kind = one.get("responseKind") or {}
    return Resource(
        group,
        version,
        str(kind.get("kind") or ""),
        str(one.get("resource") or ""),
        one.get("scope") == "Namespaced",
        frozenset(one.get("verbs") or ()),
    )
