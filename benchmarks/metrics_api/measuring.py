"""A thousand pods behind one local server, scraped by one replica on one core, and the HPA's queries timed.

    python -m benchmarks.metrics_api [--pods 1000] [--seconds 60] [--out FILE]

The store, the scraper and the answers are the metrics API's own, over TLS with a front-proxy certificate, in
a process bound to one core; the pods' pages come from another process on another core, a port for each
hundred pods and a path for each. What is left out: the API server in the way, and its SubjectAccessReview,
which is kept for ten seconds and asked of a stand-in that always allows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import numpy as np
from aiohttp import web

from tonnage.contract import latency_buckets as layout
from tonnage.metrics_api import api
from tonnage.metrics_api.answers import Answers
from tonnage.metrics_api.authorization import Authorizer
from tonnage.metrics_api.certificates import ServingCertificate, generate
from tonnage.metrics_api.identity import FrontProxy
from tonnage.metrics_api.logs import make_log
from tonnage.metrics_api.pods import PodInfo, Target
from tonnage.metrics_api.policy import Policy
from tonnage.metrics_api.presets import PRESETS
from tonnage.metrics_api.readings import read
from tonnage.metrics_api.running import quiet_collector
from tonnage.metrics_api.scraper import Scraper
from tonnage.metrics_api.selectors import equalities
from tonnage.metrics_api.serving import Serving
from tonnage.metrics_api.settings import MetricsApiSettings
from tonnage.metrics_api.store import Store
from tonnage.metrics_api.telemetry import Telemetry

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from controlplane.certificates import Authority

PODS_PER_PORT = 100
LABELS = {"app": "shop"}
BASE = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/ns"
QUERIES = {
    "pods/* p99": f"{BASE}/pods/*/inference_latency_p99?labelSelector=app%3Dshop",
    "Deployment p99 (merged)": f"{BASE}/deployments.apps/shop/inference_latency_p99",
}
CALLS = 50
FAILURES = ("connection", "page", "status")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics_api")
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ports: Any = context.Queue()
    pages = context.Process(target=serve_pages, args=(options.pods, ports), daemon=True)
    pages.start()
    answers: Any = context.Queue()
    folder = tempfile.mkdtemp()
    replica = context.Process(
        target=serve_metrics, args=(options.pods, ports.get(), options.seconds, folder, answers), daemon=True
    )
    replica.start()
    port = answers.get()
    latencies = asyncio.run(ask(port, Path(folder), options.seconds))
    told = answers.get()
    result = {
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        "pods": options.pods,
        "seconds": options.seconds,
        **told,
        "answer_ms": {name: summary(values) for name, values in latencies.items()},
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")
    for process in (replica, pages):
        process.terminate()
        process.join()


def summary(values_s: list[float]) -> dict[str, float]:
    """Percentiles in milliseconds, and how many."""
    percentiles = {f"p{q}": round(float(np.percentile(values_s, q)) * 1e3, 2) for q in (50, 99)}
    return percentiles | {"max": round(max(values_s) * 1e3, 2), "n": len(values_s)}


def serve_pages(pods: int, ports: Any) -> None:
    """The pods: windows of about eighty filled buckets, as a server under load has them."""
    pin(1)
    body = window()

    async def page(request: web.BaseRequest) -> web.Response:
        del request
        return web.Response(body=body, headers={"content-type": layout.WINDOW_TYPE})

    async def run() -> None:
        runner = web.ServerRunner(web.Server(page, access_log=None, keepalive_timeout=60))
        await runner.setup()
        assert runner.server is not None
        loop = asyncio.get_running_loop()
        count = -(-pods // PODS_PER_PORT)
        doors = [await loop.create_server(runner.server, "127.0.0.1", 0) for _ in range(count)]
        ports.put([door.sockets[0].getsockname()[1] for door in doors])
        await asyncio.Event().wait()

    asyncio.run(run())


def window() -> bytes:
    """What a pod says."""
    document = {
        "layout": layout.LAYOUT,
        "windowSeconds": 30.0,
        "buckets": {str(420 + k): random.randint(1, 50) for k in range(80)},
        "answered": 12345,
        "inFlight": 3,
        "queue": 1,
    }
    return json.dumps(document).encode()


def serve_metrics(pods: int, ports: list[int], seconds: float, folder: str, answers: Any) -> None:
    """One replica, its store filled by its own scraper."""
    pin(0)

    async def run() -> None:
        certificate, key = generate(Path(folder), ("localhost", "127.0.0.1"))
        front = Authority(Path(folder), "front-proxy")
        front.issue("client", name="front-proxy-client")
        authority = front.certificate.read_text()
        settings = MetricsApiSettings(certificate=str(certificate), key=str(key))
        store, telemetry, log = Store(settings.window_s), Telemetry(), make_log("text")
        store.put_scope("deployments.apps", "ns", "shop", equalities(LABELS))
        answering = Answers(store, Policy())
        scraper = Scraper(store, answering, settings, telemetry, log)
        for index in range(pods):
            target = Target("127.0.0.1", ports[index // PODS_PER_PORT], f"/{index}", PRESETS[0])
            info = PodInfo("ns", f"pod-{index}", str(index), LABELS, ready=True, target=target)
            store.put_pod(info)
            scraper.follow(info)

        async def allow(spec: dict[str, Any]) -> tuple[bool, str]:
            del spec
            return True, ""

        serving = Serving(
            answers=answering,
            authorizer=Authorizer(allow, 10.0),
            proxy=FrontProxy(authority, frozenset(), ("X-Remote-User",), (), ("X-Remote-Group",), ()),
            certificate=ServingCertificate(certificate, key, authority),
            unready=lambda: "",
            telemetry=telemetry,
            log=log,
        )
        runner = web.ServerRunner(web.Server(serving.handle, access_log=None))
        await runner.setup()
        assert runner.server is not None
        door = await asyncio.get_running_loop().create_server(
            runner.server, "127.0.0.1", 0, ssl=serving.certificate.context
        )
        await asyncio.sleep(2 * settings.scrape_period_s)
        quiet_collector()
        before, cpu_s, begun_s = telemetry.page(), time.process_time(), time.monotonic()
        answers.put(door.sockets[0].getsockname()[1])
        await asyncio.sleep(seconds)
        passed_s = time.monotonic() - begun_s
        done = counted(telemetry.page(), 'result="ok"') - counted(before, 'result="ok"')
        answers.put(
            {
                "pages_per_s": round(done / passed_s, 1),
                "pages_failed": sum(counted(telemetry.page(), f'result="{one}"') for one in FAILURES),
                "core_share": round((time.process_time() - cpu_s) / passed_s, 3),
                "oldest_reading_s": round(max(time.monotonic() - one.at_s for one in store.pods()), 2),
                "cpu": cpu(store, answering),
            }
        )
        await asyncio.sleep(60)

    asyncio.run(run())


def cpu(store: Store, answering: Answers) -> dict[str, float]:
    """CPU time of the parts, without network and TLS: it is the same on a busy machine, but for its caches.

    ``first``: nothing has been asked before, so that every pod is worded; ``again``: as for an HPA that has
    asked before, whose words were made when the pages came.
    """
    found: dict[str, float] = {}
    for name, path in QUERIES.items():
        plain, _, query = path.partition("?")
        asked = api.parse(plain, dict(parse_qsl(query)))
        assert isinstance(asked, api.MetricRequest)

        def answer(asked: api.MetricRequest = asked) -> None:
            api.value_list(asked.version, answering.answer(asked, time.monotonic(), time.time()))

        def forget() -> None:
            for record in store.pods():
                record.words.clear()

        found[f"{name}, first, ms"] = round(median(answer, forget) * 1e3, 3)
        found[f"{name}, again, ms"] = round(median(answer, lambda: None) * 1e3, 3)
    record, body = next(store.pods()), window()

    def page() -> None:
        record.read(read(PRESETS[0], body, layout.WINDOW_TYPE, time.monotonic()))
        answering.prepare(record, time.monotonic(), time.time())

    found["a page, ms"] = round(median(page, lambda: None) * 1e3, 3)
    return found


def median(work: Callable[[], None], before: Callable[[], None]) -> float:
    """The median CPU time of one call [s]."""
    times = []
    for _ in range(CALLS):
        before()
        begun_s = time.process_time()
        work()
        times.append(time.process_time() - begun_s)
    return float(np.median(times))


async def ask(port: int, folder: Path, seconds: float) -> dict[str, list[float]]:
    """Ask as the API server does, over one connection that stays open."""
    pin(1)
    context = ssl.create_default_context(cafile=str(folder / "tls.crt"))
    context.load_cert_chain(folder / "client.crt", folder / "client.key")
    headers = {"X-Remote-User": "system:serviceaccount:kube-system:horizontal-pod-autoscaler"}
    latencies: dict[str, list[float]] = {name: [] for name in QUERIES}
    end_s = time.monotonic() + seconds - 1
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=context)) as session:
        while time.monotonic() < end_s:
            for name, path in QUERIES.items():
                begun_s = time.monotonic()
                async with session.get(f"https://127.0.0.1:{port}{path}") as answer:
                    body = await answer.read()
                latencies[name].append(time.monotonic() - begun_s)
                assert answer.status == 200, body
            await asyncio.sleep(random.uniform(0.05, 0.15))
    return latencies


def counted(page: bytes, label: str) -> float:
    lines = page.decode().splitlines()
    wanted = [one for one in lines if one.startswith("tonnage_metrics_api_scrapes_total") and label in one]
    return sum(float(line.rpartition(" ")[2]) for line in wanted)


def pin(core: int) -> None:
    """Bind this process to one core, where there are that many."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})
