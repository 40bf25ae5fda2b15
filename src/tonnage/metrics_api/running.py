"""One replica's life: connect, follow, ask, answer; take new certificates in; stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from pathlib import Path
from typing import Any, Final

import httpx2
from aiohttp import web
from lightkube import ApiError, AsyncClient
from lightkube.resources.apiregistration_v1 import APIService
from lightkube.resources.authorization_v1 import SubjectAccessReview
from lightkube.resources.core_v1 import ConfigMap

from tonnage.errors import EnvironmentFault, SpecError
from tonnage.metrics_api.answers import Answers
from tonnage.metrics_api.api import GROUP, VERSIONS
from tonnage.metrics_api.authorization import Authorizer
from tonnage.metrics_api.certificates import BadCertificate, ServingCertificate
from tonnage.metrics_api.collector import Collector
from tonnage.metrics_api.identity import CONFIG_NAME, CONFIG_NAMESPACE, FrontProxy, NoFrontProxy, front_proxy
from tonnage.metrics_api.logs import Log, make_log
from tonnage.metrics_api.ownership import owner_of
from tonnage.metrics_api.policy import Policy
from tonnage.metrics_api.scraper import Scraper
from tonnage.metrics_api.serving import Serving
from tonnage.metrics_api.settings import MetricsApiSettings
from tonnage.metrics_api.store import Store
from tonnage.metrics_api.telemetry import Telemetry

FILES_PERIOD_S: Final = 1.0
AUTHORITY_PERIOD_S: Final = 60.0
OWNER_PERIOD_S: Final = 60.0
KEEP_ALIVE_S: Final = 120.0
"""Longer than the API server keeps an idle connection (90 s), so that it is the one to close it."""
HANDSHAKE_S_MAX: Final = 10.0
SETTLE_PERIOD_S: Final = 1.0


def quiet_collector() -> None:
    """Collect rarely, and never look again at what is known of the cluster's pods by now.

    A thousand pods are hundreds of thousands of objects, and to look at all of them takes longer than an
    answer may. Readings and answers make no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


async def run(settings: MetricsApiSettings, client: AsyncClient) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        settings: What to do.
        client: Of the API server.

    Raises:
        SpecError: The certificate's files hold none.
        EnvironmentFault: The cluster does not say how its front proxy is known, or the port is taken.
    """
    log = make_log(settings.log_format)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    replica = await _Replica.make(settings, client, log)
    try:
        await replica.run(stop)
    finally:
        await replica.close()


class _Replica:
    """The parts, put together."""

    def __init__(
        self,
        settings: MetricsApiSettings,
        client: AsyncClient,
        log: Log,
        proxy: FrontProxy,
        certificate: ServingCertificate,
    ) -> None:
        self._settings, self._client, self._log = settings, client, log
        self._certificate = certificate
        self._telemetry = Telemetry()
        self._telemetry.certificate.set(certificate.expires_s)
        store = Store(settings.window_s)
        answers = Answers(store, Policy(settings.idle, settings.stale_s, settings.warming))
        self._scraper = Scraper(store, answers, settings, self._telemetry, log)
        self._collector = Collector(
            client, store, self._scraper, settings.namespace, self._telemetry, log
        )
        self._stopping = False
        self._listed_s = 0.0
        self._serving = Serving(
            answers=answers,
            authorizer=Authorizer(self._review, settings.authorization_s),
            proxy=proxy,
            certificate=certificate,
            unready=self._unready,
            telemetry=self._telemetry,
            log=log,
        )

    @classmethod
    async def make(cls, settings: MetricsApiSettings, client: AsyncClient, log: Log) -> _Replica:
        try:
            proxy = await _front_proxy(client)
            certificate = ServingCertificate(Path(settings.certificate), Path(settings.key), proxy.authority)
        except BadCertificate as error:
            raise SpecError(str(error)) from None
        except (NoFrontProxy, ApiError, httpx2.HTTPError, OSError) as error:
            raise EnvironmentFault(f"front proxy: {error}") from None
        return cls(settings, client, log, proxy, certificate)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until it is told to stop."""
        settings = self._settings
        runner = web.ServerRunner(
            web.Server(self._serving.handle, keepalive_timeout=KEEP_ALIVE_S, access_log=None),
            shutdown_timeout=settings.grace_s / 2,
        )
        await runner.setup()
        assert runner.server is not None
        try:
            listening = await asyncio.get_running_loop().create_server(
                runner.server,
                settings.host,
                settings.port,
                ssl=self._certificate.context,
                ssl_handshake_timeout=HANDSHAKE_S_MAX,
            )
        except OSError as error:
            raise EnvironmentFault(f"address {settings.host}:{settings.port}: {error.strerror}") from None
        port = listening.sockets[0].getsockname()[1]
        self._log("info", "listening", host=settings.host, port=port)
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(one)
            for one in (
                self._collector.run(),
                self._follow_files(),
                self._follow_authority(),
                self._follow_owner(),
            )
        ]
        stopped = asyncio.create_task(stop.wait())
        settling = asyncio.create_task(self._settle())
        try:
            await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # none of them ends by itself: what it raised ends us
        finally:
            self._stopping = True
            self._log("info", "stopping")
            listening.close()
            await runner.cleanup()  # answers under way are finished
            for task in (stopped, settling, *tasks):
                task.cancel()
            await asyncio.gather(stopped, settling, *tasks, return_exceptions=True)

    async def close(self) -> None:
        await self._scraper.close()

    def _unready(self) -> str:
        if self._stopping:
            return "stopping"
        if self._collector.waiting:
            return f"not listed yet: {', '.join(sorted(self._collector.waiting))}"
        if self._listed_s == 0.0:
            self._listed_s = time.monotonic()
        wait_s = self._settings.scrape_period_s + self._settings.scrape_timeout_s
        if self._scraper.untried and time.monotonic() - self._listed_s < wait_s:
            return f"pods not asked yet: {self._scraper.untried}"
        return ""

    async def _settle(self) -> None:
        while self._unready():
            await asyncio.sleep(SETTLE_PERIOD_S)
        quiet_collector()

    async def _review(self, spec: dict[str, Any]) -> tuple[bool, str]:
        review: Any = SubjectAccessReview.from_dict({"spec": spec})
        answer = await self._client.create(review)
        status = answer.status
        return bool(status and status.allowed), (status.reason or "") if status else ""

    async def _follow_files(self) -> None:
        while True:
            await asyncio.sleep(FILES_PERIOD_S)
            try:
                if self._certificate.refresh(self._serving.proxy.authority):
                    self._telemetry.certificate.set(self._certificate.expires_s)
                    self._log("info", "certificates taken in", expires_s=self._certificate.expires_s)
            except BadCertificate as error:
                self._log("warning", "certificates do not fit", problem=str(error))

    async def _follow_authority(self) -> None:
        while True:
            await asyncio.sleep(AUTHORITY_PERIOD_S)
            try:
                self._serving.proxy = await _front_proxy(self._client)
            except (NoFrontProxy, ApiError, httpx2.HTTPError, OSError) as error:
                self._log("warning", "front proxy cannot be read", problem=str(error))

    async def _follow_owner(self) -> None:
        """Say whose the API is, at the start and whenever that changes; it is taken from nobody."""
        said: dict[str, str] = {}
        while True:
            for version in VERSIONS:
                text, whose = await self._owner(version)
                self._telemetry.owned.labels(version).set(whose == "ours")
                if said.get(version) != text:
                    said[version] = text
                    self._log("warning" if whose == "other" else "info", "owner", owner=text)
            await asyncio.sleep(OWNER_PERIOD_S)

    async def _owner(self, version: str) -> tuple[str, str]:
        """What to say of a version's owner, and whose it is; nobody's where that cannot be seen."""
        try:
            service: Any = await self._client.get(APIService, f"{version}.{GROUP}")
        except ApiError as error:
            if error.status.code != 404:
                return f"{version}.{GROUP}: cannot be read: {error}", "nobody"
            return str(owner_of(version, None, self._settings.service)), "nobody"
        except (httpx2.HTTPError, OSError) as error:
            return f"{version}.{GROUP}: cannot be read: {error}", "nobody"
        owner = owner_of(version, service.to_dict(), self._settings.service)
        return str(owner), owner.whose


async def _front_proxy(client: AsyncClient) -> FrontProxy:
    config = await client.get(ConfigMap, CONFIG_NAME, namespace=CONFIG_NAMESPACE)
    return front_proxy(config.data or {})
