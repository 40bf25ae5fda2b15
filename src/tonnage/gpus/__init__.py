"""The GPUs of a cluster: what there is, what is free, and whether pods can be placed now.

    stock = inventory(nodes, pods, slices, classes, claims)
    answer = fit(wanted, nodes, pods, objects=others, gang=True)

Objects are plain data, as the API server hands them out or ``kubectl get -o json`` prints them. Nothing here
talks to a cluster, and nothing decides differently from ``tonnage.scheduling``, which decides as
kube-scheduler does.
"""

from tonnage.gpus.answer import Change, Fit
from tonnage.gpus.documents import workload_of_job, workload_of_service
from tonnage.gpus.fit import fit, fit_in
from tonnage.gpus.inventory import Inventory, inventory
from tonnage.gpus.workloads import Workload, workload_of
from tonnage.gpus.world import World, read_world

__all__ = [
    "Change",
    "Fit",
    "Inventory",
    "Workload",
    "World",
    "fit",
    "fit_in",
    "inventory",
    "read_world",
    "workload_of",
    "workload_of_job",
    "workload_of_service",
]
