"""Reads pods' pages: every few seconds each, at moments of their own, over connections that stay open.

What a pod sends is not trusted: a page has a size and a time limit, redirects are not followed, and a page
that cannot be read changes nothing but a count. A pod that does not answer is asked less and less often.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

import aiohttp

from tonnage.contract import latency_buckets as layout
from tonnage.metrics_api.answers import Answers
from tonnage.metrics_api.logs import Log
from tonnage.metrics_api.page import PAGE_BYTES_MAX, BadPage
from tonnage.metrics_api.pods import PodInfo, Target
from tonnage.metrics_api.readings import read
from tonnage.metrics_api.settings import MetricsApiSettings
from tonnage.metrics_api.store import Store
from tonnage.metrics_api.telemetry import Telemetry

ACCEPT: Final = f"{layout.WINDOW_TYPE}, text/plain;version=0.0.4;q=0.9, */*;q=0.1"
JITTER: Final = 0.05
"""Share of the period by which moments drift apart."""
PATIENCE_MAX: Final = 3.0
"""Periods between two askings of a pod that does not answer, at most."""


class Scraper:
    """Keeps a task for each pod that is asked.

    Args:
        store: Where readings go.
        answers: Who words them.
        settings: Period, limits.
        telemetry: Where it counts.
        log: For what is wrong with a pod's page, once until it is right again.
    """

    def __init__(
        self, store: Store, answers: Answers, settings: MetricsApiSettings, telemetry: Telemetry, log: Log
    ) -> None:
        self._store = store
        self._answers = answers
        self._settings = settings
        self._telemetry = telemetry
        self._log = log
        self._tasks: dict[tuple[str, str], tuple[str, Target, asyncio.Task[None]]] = {}
        self._slots = asyncio.Semaphore(settings.scrapes_max)
        self._untried: set[tuple[str, str]] = set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=4 * settings.scrape_period_s, use_dns_cache=False
            ),
            timeout=aiohttp.ClientTimeout(total=settings.scrape_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"accept": ACCEPT, "accept-encoding": "identity", "user-agent": "tonnage-metrics-api"},
        )

    @property
    def untried(self) -> int:
        """Pods that have not been asked once."""
        return len(self._untried)

    def follow(self, info: PodInfo) -> None:
        """Ask a pod from now on, or no longer, or elsewhere."""
        key = (info.namespace, info.name)
        wanted = info.target if not (info.ending or info.over) else None
        held = self._tasks.get(key)
        if held is not None and (wanted is None or held[:2] != (info.uid, wanted)):
            self.forget(info.namespace, info.name)
            held = None
        if held is None and wanted is not None:
            self._untried.add(key)
            task = asyncio.create_task(self._keep_asking(key, info.uid, wanted), name=f"scrape {key}")
            self._tasks[key] = (info.uid, wanted, task)
        self._telemetry.targets.set(len(self._tasks))

    def forget(self, namespace: str, name: str) -> None:
        """Ask a pod no longer."""
        held = self._tasks.pop((namespace, name), None)
        self._untried.discard((namespace, name))
        if held is not None:
            held[2].cancel()
        self._telemetry.targets.set(len(self._tasks))

    def keep(self, names: set[tuple[str, str]]) -> None:
        """Ask no others than these."""
        for key in [key for key in self._tasks if key not in names]:
            self.forget(*key)

    async def close(self) -> None:
        """End all."""
        tasks = [held[2] for held in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    async def _keep_asking(self, key: tuple[str, str], uid: str, target: Target) -> None:
        period_s = self._settings.scrape_period_s
        # the first moment is at random, so that a thousand pods do not come at once
        due_s = time.monotonic() + random.uniform(0, min(period_s, 0.002 * len(self._tasks)))  # noqa: S311
        failures = 0
        while True:
            await asyncio.sleep(due_s - time.monotonic())
            async with self._slots:
                problem = await self._ask(key, uid, target)
            self._untried.discard(key)
            if problem and failures == 0 and self._is_ready(key):
                self._log("warning", "page cannot be read", pod="/".join(key), url=target.url, why=problem)
            failures = failures + 1 if problem else 0
            patience = min(1.0 + 0.5 * max(0, failures - 1), PATIENCE_MAX)
            drift = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311
            due_s = max(due_s, time.monotonic() - period_s) + period_s * patience * drift

    async def _ask(self, key: tuple[str, str], uid: str, target: Target) -> str:
        """Ask once; what went wrong, or nothing."""
        begun_s = time.monotonic()
        try:
            async with self._session.get(target.url, allow_redirects=False) as answer:
                if answer.status != 200:
                    result, problem = "status", f"must answer 200, got {answer.status}"
                else:
                    body = await _body(answer)
                    reading = read(target.preset, body, answer.content_type, begun_s)
                    record = self._store.pod(*key)
                    if record is not None and record.info.uid == uid:
                        record.read(reading)
                        self._answers.prepare(record, time.monotonic(), time.time())
                    result, problem = "ok", ""
        except BadPage as error:
            result, problem = "page", str(error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            result, problem = "connection", str(error) or type(error).__name__
        self._telemetry.scrapes.labels(result).inc()
        self._telemetry.scrape_seconds.observe(time.monotonic() - begun_s)
        return problem

    def _is_ready(self, key: tuple[str, str]) -> bool:
        record = self._store.pod(*key)
        return record is not None and record.info.ready


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > PAGE_BYTES_MAX:
            raise BadPage(f"must have at most {PAGE_BYTES_MAX} bytes, got more")
        parts.append(part)
    return b"".join(parts)
