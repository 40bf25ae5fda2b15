"""In the cluster: ``custom.metrics.k8s.io`` for the HPA, from the pods themselves and without Prometheus.

    pods ──> collector ──> store (windows of each pod) ──> answers (policy) ──> api ──> the API server ──> HPA

``page`` and ``presets`` turn any server's metrics page into one form, ``windows`` keeps what a pod said
lately, ``policy`` decides what is answered for a pod that warms up, idles, ends or has fallen silent, and
``api`` words it as Kubernetes does. These are pure.
"""
