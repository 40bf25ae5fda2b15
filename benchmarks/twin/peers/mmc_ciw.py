"""An M/M/c queue in Ciw."""

import json
import sys
import time

import ciw

settings = json.loads(sys.argv[1])
rate, count = settings["load"] * settings["places"], settings["requests"]
network = ciw.create_network(
    arrival_distributions=[ciw.dists.Exponential(rate=rate)],
    service_distributions=[ciw.dists.Exponential(rate=1.0)],
    number_of_servers=[settings["places"]],
)
ciw.seed(settings["seed"])
simulation = ciw.Simulation(network)
start = time.process_time()
simulation.simulate_until_max_customers(count, method="Finish")
cpu_s = time.process_time() - start
records = sorted(simulation.get_all_records(), key=lambda record: record.arrival_date)
waits = [record.waiting_time for record in records[count // 10 :]]
print(json.dumps({"requests": count, "cpu_s": cpu_s, "wait_s": sum(waits) / len(waits)}))
