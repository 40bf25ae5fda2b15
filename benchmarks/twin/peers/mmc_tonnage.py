"""The same M/M/c queue in the twin's request kernel."""

import json
import sys
import time

from tonnage.traffic import PoissonArrivals
from tonnage.twin.requests import ParametricService, RequestConfig, RequestWorld, ServerModel, plan_of

settings = json.loads(sys.argv[1])
rate = settings["load"] * settings["places"]
count = settings["requests"] * 50  # or there would be nothing to time
law = ParametricService(batch_s=1.0, shape="exponential")
server = ServerModel(service=law, size_max=1, parallel=settings["places"], queue_max=1 << 16)
plan = plan_of(PoissonArrivals(rate, count / rate), seed=settings["seed"])
config = RequestConfig(interval_s=count / rate / 1000)
world = RequestWorld(config, (server,), plan, slots_max=1, seed=settings["seed"])
world.start(0)
world.set_routed(0, True)
world.advance(0.1 * count / rate)  # compiles, and warms the queue
world.read_slot(0)
start, before = time.process_time(), world.balance().arrived
world.advance(count / rate)
cpu_s = time.process_time() - start
window = world.read_slot(0).window
print(
    json.dumps(
        {
            "requests": world.balance().arrived - before,
            "cpu_s": cpu_s,
            "wait_s": window.wait_s / window.answered,
        }
    )
)
