"""A rendered service on a real control plane, under real load: pods, kube-proxy, metrics API, HPA, and the twin.

``world`` starts it all and applies what ``tonnage render`` made, ``service_network`` is the client's machine
with a real kube-proxy, ``observe`` writes down what the cluster does, ``traffic`` is the load and ``beside``
plays the same in the twin.
"""
