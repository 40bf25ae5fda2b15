"""The HTTPS side: who asks and whether they may comes first, then the answer, every error a Status object.

Probes (``/livez``, ``/readyz``, ``/healthz``) are answered to anyone; everything else only to callers whom
the front proxy names and the API server lets.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

import tonnage
from tonnage.metrics_api import api
from tonnage.metrics_api.answers import Answers
from tonnage.metrics_api.authorization import Authorizer, Wish
from tonnage.metrics_api.certificates import ServingCertificate
from tonnage.metrics_api.identity import Caller, FrontProxy, Unauthenticated, caller_of
from tonnage.metrics_api.logs import Log
from tonnage.metrics_api.store import METRICS
from tonnage.metrics_api.telemetry import Telemetry

PROBES: Final = frozenset({"/livez", "/readyz", "/healthz"})
_INFO: Final = {"title": "Tonnage", "version": tonnage.__version__}
_OPENAPI_V2: Final[dict[str, Any]] = {"swagger": "2.0", "info": _INFO, "paths": {}}
_OPENAPI_V3: Final[dict[str, Any]] = {"paths": {}}


class _Refusal(Exception):
    """An answer that is not 200.

    Args:
        code: HTTP status.
        reason: Kubernetes' word for it.
        message: For people.
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


@dataclass(slots=True)
class Serving:
    """What answers.

    Attributes:
        answers: What is said of pods.
        authorizer: Who may.
        proxy: The front proxy, as the cluster says now.
        certificate: The serving certificate; None only where TLS is done elsewhere, in tests of this file.
        unready: Why it is not ready; empty when it is.
        telemetry: Where it counts.
        log: For failures of ours.
    """

    answers: Answers
    authorizer: Authorizer
    proxy: FrontProxy
    certificate: ServingCertificate
    unready: Callable[[], str]
    telemetry: Telemetry
    log: Log

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; never raises but what ends its connection."""
        begun_s = time.monotonic()
        try:
            response = await self._answer(request)
        except _Refusal as refusal:
            document = api.status(refusal.code, refusal.reason, refusal.message)
            response = _json(document, refusal.code)
            if refusal.code == 401:
                response.force_close()
        except api.NotFound as error:
            response = _json(api.status(404, "NotFound", str(error)), 404)
        except api.BadRequest as error:
            response = _json(api.status(400, "BadRequest", str(error)), 400)
        except Exception as error:  # a fault of ours must not end the connection without a word
            self.log("error", "answer failed", path=request.path, problem=repr(error))
            response = _json(api.status(500, "InternalError", "the metrics API failed; see its log"), 500)
        self.telemetry.requests.labels(str(response.status)).inc()
        self.telemetry.request_seconds.observe(time.monotonic() - begun_s)
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        if request.method not in ("GET", "HEAD"):
            raise _Refusal(405, "MethodNotAllowed", f"method {request.method}: must be GET")
        if path in PROBES:
            return self._probe(path)
        caller = self._caller(request)
        if path in ("/metrics", "/openapi/v2", "/openapi/v3"):
            await self._must_be_allowed(caller, Wish(path=path))
            if path == "/metrics":
                return web.Response(body=self.telemetry.page(), content_type="text/plain", charset="utf-8")
            return _json(_OPENAPI_V2 if path == "/openapi/v2" else _OPENAPI_V3)
        asked = api.parse(path, request.query)
        if isinstance(asked, api.Discovery):
            await self._must_be_allowed(caller, Wish(path=path))
            return _json(_discovery(asked))
        await self._must_be_allowed(caller, Wish(metric=asked))
        items = self.answers.answer(asked, time.monotonic(), time.time())
        return _json(api.value_list(asked.version, items))

    def _probe(self, path: str) -> web.Response:
        reason = self.unready() if path == "/readyz" else ""
        return web.Response(status=503 if reason else 200, text=reason or "ok")

    def _caller(self, request: web.BaseRequest) -> Caller:
        connection: Any = request.transport.get_extra_info("ssl_object") if request.transport else None
        if not isinstance(connection, ssl.SSLObject):
            raise _Refusal(401, "Unauthorized", "Unauthorized")
        peer = connection.getpeercert()
        if peer and not self.certificate.vouches(connection):
            raise _Refusal(401, "Unauthorized", "Unauthorized: certificates have changed, connect again")
        try:
            return caller_of(self.proxy, peer, request.headers, time.time())
        except Unauthenticated as error:
            raise _Refusal(401, "Unauthorized", f"Unauthorized: {error}") from None

    async def _must_be_allowed(self, caller: Caller, wish: Wish) -> None:
        try:
            allowed, reason = await self.authorizer.allows(caller, wish)
        except Exception as error:
            self.log("error", "authorization failed", user=caller.user, problem=repr(error))
            message = "the API server does not say who may do what"
            raise _Refusal(503, "ServiceUnavailable", message) from None
        if not allowed:
            message = f'User "{caller.user}" cannot {wish}'
            raise _Refusal(403, "Forbidden", f"{message}: {reason}" if reason else message)


def _discovery(asked: api.Discovery) -> dict[str, Any]:
    if asked.what == "groups":
        return api.groups()
    return api.group() if asked.what == "group" else api.resources(asked.version, METRICS)


def _json(document: dict[str, Any] | bytes, code: int = 200) -> web.Response:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return web.Response(body=body, status=code, content_type="application/json")
