"""What goes wrong between us and an API server, as exceptions that say what to do about it. Decides only.

    EnvironmentFault
    └── ClusterFault
        ├── BadKubeconfig     which cluster is meant cannot be told
        ├── Unreachable       nobody answers, or not as an API server does
        ├── Unauthorized      it does not know us
        ├── Forbidden         it knows us and does not allow a verb on a resource
        ├── Refused           allowed, and refused by admission: quota, pod security, a webhook
        ├── Invalid           the object is not what its kind asks for
        ├── KindMissing       it has no such kind
        ├── Missing           it has the kind and no such object
        ├── Exists            an object of the name is there already
        ├── FieldConflict     another manager has set the field otherwise
        ├── Changed           the object is not the one that was meant: changed or replaced since
        ├── Gone              a watch's version is too old; a new list is due
        ├── Busy              it cannot answer now
        ├── Unclear           any other answer that is no success
        └── Several           more than one of them

Source: kubernetes v1.37.2, apimachinery pkg/api/errors/errors.go (NewForbidden, NewInvalid,
NewApplyConflict), apiserver pkg/endpoints/handlers/responsewriters/errors.go (ForbiddenStatusError).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tonnage.errors import EnvironmentFault

_RBAC: Final = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) (?:resource|path)')
_CONFLICT: Final = re.compile(r'conflict with "(?P<manager>[^"]*)"')
_UNTYPED: Final = "failed to create typed patch object"
_SHOWN_MAX: Final = 1000
BUSY_CODES: Final = frozenset({429, 500, 502, 503, 504})
"""Answers after which the same request may succeed."""


class ClusterFault(EnvironmentFault):
    """The API server did not do what was asked."""


class BadKubeconfig(ClusterFault):
    """Which cluster is meant, or as whom, cannot be told."""


class Unreachable(ClusterFault):
    """Nobody answers at the server's address, or not as an API server does."""


class Unauthorized(ClusterFault):
    """The server does not know who we are."""


class Forbidden(ClusterFault):
    """A verb on a resource is not allowed to us."""


class Refused(ClusterFault):
    """Admission refused the object: a quota, pod security, a webhook."""


class Invalid(ClusterFault):
    """The object is not what its kind asks for."""


class KindMissing(ClusterFault):
    """The server has no such kind."""


class Missing(ClusterFault):
    """There is no such object."""


class Exists(ClusterFault):
    """An object of the name is there already."""


class Changed(ClusterFault):
    """The object was changed or replaced since it was read."""


class Gone(ClusterFault):
    """The version that a watch was to begin at is too old."""


class Busy(ClusterFault):
    """The server cannot answer now; ``wait_s`` is how long it asks us to wait [s], None for not said."""

    def __init__(self, text: str, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.wait_s = wait_s


class Unclear(ClusterFault):
    """Any other answer that is no success."""


class FieldConflict(ClusterFault):
    """Other managers have set fields otherwise; ``fields`` has the manager and path of each."""

    def __init__(self, text: str, fields: tuple[tuple[str, str], ...]) -> None:
        super().__init__(text)
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Action:
    """What was asked of the server.

    Attributes:
        verb: As in a role: ``get``, ``list``, ``watch``, ``create``, ``patch``, ``delete``.
        resource: Plural with its group, such as ``jobs.batch``, or ``pods/log`` for a part; or a path such
            as ``/apis``.
        name: Of the object; empty for all of them.
        namespace: Empty for none or all.
    """

    verb: str
    resource: str
    name: str = ""
    namespace: str = ""

    @property
    def where(self) -> str:
        """What it was about, as messages name it."""
        kind, _, part = self.resource.partition("/")
        name = self.resource
        if self.name and not self.resource.startswith("/"):
            name = f"{part} of {kind}/{self.name}" if part else f"{kind}/{self.name}"
        return f"{name} in namespace {self.namespace}" if self.namespace else name


class Several(ClusterFault):
    """More than one of them; ``faults`` has each."""

    def __init__(self, faults: Sequence[ClusterFault]) -> None:
        super().__init__("\n".join(str(one) for one in faults))
        self.faults = tuple(faults)


def several(faults: Sequence[ClusterFault]) -> ClusterFault:
    """Some faults as one; those that say the same are the same."""
    apart = list({str(one): one for one in faults}.values())
    return apart[0] if len(apart) == 1 else Several(apart)


def fault_of(
    status_code: int, body: str, action: Action, *, server: str, retry_after: str = ""
) -> ClusterFault:
    """What an answer that is no success means.

    Args:
        status_code: Of HTTP.
        body: The answer; a Status object, or any text where a proxy answers.
        action: What was asked.
        server: The server's address.
        retry_after: The header of that name; empty for none.
    """
    status = _status(body)
    if status is None and status_code not in (401, 403, *BUSY_CODES):
        text = f"{server}: must answer {action.verb} {action.where} as an API server does, got {status_code}"
        return Unreachable(f"{text}: {_short(body)}" if body.strip() else text)
    message = _short(str((status or {}).get("message") or body))
    reason = str((status or {}).get("reason") or "")
    if status_code == 401:
        return Unauthorized(
            f"{server}: must know who asks, got 401 Unauthorized"
            "; renew the credentials of the kubeconfig's user (kubectl auth whoami shows it)"
        )
    if status_code == 403:
        return _forbidden(message, action)
    if status_code == 404:
        return _missing(status or {}, message, action)
    if status_code == 409:
        return _conflict(status or {}, reason, message, action)
    if status_code == 410:
        return Gone(f"{action.where}: {message}")
    if status_code == 500 and _UNTYPED in message:  # its code for fields that the kind does not have
        return Invalid(f"{action.where}: {message.rpartition('Kind=')[2].partition('): ')[2] or message}")
    if status_code in BUSY_CODES and not _is_webhook(message):
        wait_s = float(retry_after) if retry_after.isdecimal() else None
        text = f"{server}: must answer {action.verb} {action.where}, got {status_code}: {message}"
        return Busy(text, wait_s)
    if status_code in (400, 415, 422):
        return Invalid(f"{action.where}: {_without_head(message)}")
    if _is_webhook(message):
        return Refused(f"{action.where}: {message}")
    return Unclear(f"{server}: {action.verb} {action.where}: {status_code} {reason}: {message}")


def kind_missing(api_version: str, kind: str, hint: str = "") -> KindMissing:
    """The server has no kind of a name."""
    text = f"{kind}: the API server must have {api_version}"
    return KindMissing(f"{text}; {hint}" if hint else f"{text}; install what brings it, or choose another")


def _forbidden(message: str, action: Action) -> ClusterFault:
    rbac = _RBAC.search(message)
    if rbac is None:
        return Refused(f"{action.where}: {_without_head(message)}")
    where = f" in namespace {action.namespace}" if action.namespace else ""
    scope = f" -n {action.namespace}" if action.namespace else ""
    return Forbidden(
        f"{action.resource}: user {rbac['user']} must be allowed to {rbac['verb']} them{where}, and is not"
        f"; ask for a role with that verb (kubectl auth can-i --list{scope} shows what is allowed)"
    )


def _missing(status: Mapping[str, Any], message: str, action: Action) -> ClusterFault:
    details = status.get("details") or {}
    kind = str(details.get("kind") or "")
    if kind == "namespaces" and not action.resource.startswith("namespaces"):
        name = details.get("name") or action.namespace
        return Missing(f"namespace {name}: must exist; kubectl create namespace {name}")
    if not kind:  # nobody serves the path
        return KindMissing(f"{action.resource}: the API server must have them, and has not")
    return Missing(f"{action.where}: must exist" if str(details.get("name")) == action.name else message)


def _conflict(status: Mapping[str, Any], reason: str, message: str, action: Action) -> ClusterFault:
    if reason == "AlreadyExists":
        return Exists(f"{action.where}: exists already")
    found = []
    for cause in (status.get("details") or {}).get("causes") or ():
        match = _CONFLICT.search(str(cause.get("message") or ""))
        if cause.get("reason") == "FieldManagerConflict" and match is not None:
            found.append((match["manager"], str(cause.get("field") or "")))
    if not found:
        return Changed(f"{action.where}: {message}")
    by = {manager: [path for one, path in found if one == manager] for manager, _ in found}
    owned = "; ".join(f"{manager} has set {', '.join(paths)}" for manager, paths in by.items())
    return FieldConflict(
        f"{action.where}: fields must be ours to set, and another manager has set them: {owned}"
        "; let that manager go on, or take them over",
        tuple(found),
    )


def _is_webhook(message: str) -> bool:
    return "admission webhook" in message or "failed calling webhook" in message


def _without_head(message: str) -> str:
    """A message without ``jobs.batch "train" is forbidden: `` before it: the object is named already."""
    head, separator, rest = message.partition(": ")
    return rest if separator and re.search(r'" is (?:forbidden|invalid)$', head) else message


def _status(body: str) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) and value.get("kind") == "Status" else None


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_MAX else f"{flat[:_SHOWN_MAX]}..."
