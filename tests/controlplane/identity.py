"""Who a pod is: its host name, and what it is told of others' names. Pure.

Source: kubernetes v1.37.2 pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain, managedHostsFileContent),
pkg/kubelet/network/dns/dns.go (GetPodDNS for ClusterFirst).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOMAIN = "cluster.local"
_HOSTNAME_LENGTH_MAX = 63


def host_name(pod: Mapping[str, Any]) -> str:
    """The pod's host name, without a domain."""
    given: str = pod["spec"].get("hostname") or pod["metadata"]["name"]
    return given[:_HOSTNAME_LENGTH_MAX].rstrip("-.")


def identity_files(pod: Mapping[str, Any], ip: str, dns: str) -> dict[str, str]:
    """Files that a kubelet writes into each container.

    Args:
        pod: Its object.
        ip: Its address.
        dns: Address of the cluster's DNS server; empty leaves name resolution as it is here.
    """
    files = {"/etc/hosts": _hosts(pod, ip), "/etc/hostname": f"{host_name(pod)}\n"}
    if dns:
        namespace = pod["metadata"]["namespace"]
        search = f"{namespace}.svc.{DOMAIN} svc.{DOMAIN} {DOMAIN}"
        files["/etc/resolv.conf"] = f"search {search}\nnameserver {dns}\noptions ndots:5\n"
    return files


def _hosts(pod: Mapping[str, Any], ip: str) -> str:
    host, spec = host_name(pod), pod["spec"]
    names = [host]
    if spec.get("subdomain"):
        names.insert(0, f"{host}.{spec['subdomain']}.{pod['metadata']['namespace']}.svc.{DOMAIN}")
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", "\t".join([ip, *names])]
    lines += ["\t".join([one["ip"], *one["hostnames"]]) for one in spec.get("hostAliases", [])]
    return "\n".join(lines) + "\n"
