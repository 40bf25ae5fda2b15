"""An M/M/c queue in SimPy, as its documentation builds one: a process for each customer, a resource."""

import json
import random
import sys
import time

import simpy

settings = json.loads(sys.argv[1])
numbers = random.Random(settings["seed"])
rate, count, warm_up = settings["load"] * settings["places"], settings["requests"], settings["requests"] // 10
waits: list[float] = []


def customer(env, places):
    came = env.now
    with places.request() as turn:
        yield turn
        waits.append(env.now - came)
        yield env.timeout(numbers.expovariate(1.0))


def source(env, places):
    for _ in range(count):
        yield env.timeout(numbers.expovariate(rate))
        env.process(customer(env, places))


env = simpy.Environment()
env.process(source(env, simpy.Resource(env, settings["places"])))
start = time.process_time()
env.run()
cpu_s = time.process_time() - start
counted = waits[warm_up:]
print(json.dumps({"requests": count, "cpu_s": cpu_s, "wait_s": sum(counted) / len(counted)}))
