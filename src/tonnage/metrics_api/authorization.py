"""Whether a caller may: the API server decides (SubjectAccessReview), and its answers are kept for seconds.

Source: kubernetes v1.37.2, k8s.io/apiserver pkg/server/options/authorization.go (ten seconds for both
answers), pkg/authorization/authorizerfactory/delegating.go.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from tonnage.metrics_api.api import GROUP, MetricRequest
from tonnage.metrics_api.identity import Caller

KEPT_MAX: Final = 4096
"""Answers kept; beyond it the oldest goes."""

Review = Callable[[dict[str, Any]], Awaitable[tuple[bool, str]]]
"""The spec of a SubjectAccessReview to whether it is allowed, and why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants.

    Attributes:
        path: A path that is no resource; empty for a metric.
        metric: A metric; None for a path.
    """

    path: str = ""
    metric: MetricRequest | None = None

    def attributes(self) -> dict[str, Any]:
        """In the words of a SubjectAccessReview."""
        if self.metric is None:
            return {"nonResourceAttributes": {"path": self.path, "verb": "get"}}
        wanted = self.metric
        return {
            "resourceAttributes": {
                "verb": "get",
                "group": GROUP,
                "version": wanted.version,
                "namespace": wanted.namespace,
                "resource": wanted.resource,
                "subresource": wanted.metric,
                "name": wanted.name,
            }
        }

    def __str__(self) -> str:
        wanted = self.metric
        if wanted is None:
            return f'get path "{self.path}"'
        what = f'resource "{wanted.resource}/{wanted.metric}" in API group "{GROUP}"'
        return f'get {what} in the namespace "{wanted.namespace}"'


class Authorizer:
    """Asks, and remembers.

    Args:
        review: Asks the API server.
        kept_s: How long an answer is used [s, >= 0].
        clock: Monotonic [s].
    """

    def __init__(self, review: Review, kept_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._review = review
        self._kept_s = kept_s
        self._clock = clock
        self._known: OrderedDict[tuple[Caller, str], tuple[float, bool, str]] = OrderedDict()

    async def allows(self, caller: Caller, wish: Wish) -> tuple[bool, str]:
        """Whether a caller may, and the API server's reason; what asking raises is not kept."""
        attributes = wish.attributes()
        key = (caller, repr(attributes))
        now_s = self._clock()
        known = self._known.get(key)
        if known is not None and now_s - known[0] < self._kept_s:
            return known[1], known[2]
        allowed, reason = await self._review(
            {
                "user": caller.user,
                "uid": caller.uid,
                "groups": list(caller.groups),
                "extra": {key: list(values) for key, values in caller.extra},
                **attributes,
            }
        )
        self._known[key] = (now_s, allowed, reason)
        self._known.move_to_end(key)
        while len(self._known) > KEPT_MAX:
            self._known.popitem(last=False)
        return allowed, reason
