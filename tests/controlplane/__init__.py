"""A real Kubernetes control plane on this machine, without containers: for tests and for trying things.

``plane`` starts etcd, kube-apiserver, kube-controller-manager and kube-scheduler, built by ``binaries`` from
the pinned Go modules of this folder or taken from ``KUBEBUILDER_ASSETS``. ``network`` gives pods addresses of
their own, ``node`` runs the pods that are bound to it as processes, ``fleet`` pretends to be GPU nodes.
"""
