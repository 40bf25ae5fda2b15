"""Reading nodes and pods: what the scheduler would see of them, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.scheduling.objects import pod, term
from tonnage.errors import SpecError
from tonnage.scheduling import (
    Amounts,
    HostPort,
    Requirement,
    Taint,
    devices_from_claim,
    node_from_object,
    not_modelled,
    pod_from_object,
)

MIB = 1024 * 1024


def container(**resources: Any) -> dict[str, Any]:
    return {"name": "c", "resources": resources}


def requests_of(**spec: Any) -> Amounts:
    return pod_from_object({"metadata": {"name": "p"}, "spec": spec}).spec.requests


def test_containers_add_up_and_init_containers_do_not() -> None:
    """A pod takes the larger of its containers together and of any one init container."""
    cpu = [container(requests={"cpu": "2", "memory": "1G"}), container(requests={"cpu": "1", "memory": "1G"})]
    inits = [container(requests={"cpu": "2", "memory": "1G"}), container(requests={"cpu": "2", "memory": "3G"})]
    assert requests_of(containers=cpu, initContainers=inits) == Amounts(3000, 3_000_000_000)


def test_sidecars_run_beside_what_starts_after_them() -> None:
    """A sidecar counts with the containers, and with the init containers behind it, not with those before."""
    sidecar = {**container(requests={"cpu": "1"}), "restartPolicy": "Always"}
    before, behind = container(requests={"cpu": "5"}), container(requests={"cpu": "4"})
    main = [container(requests={"cpu": "2"})]
    assert requests_of(containers=main, initContainers=[before, sidecar]).cpu_millicores == 5000
    assert requests_of(containers=main, initContainers=[sidecar, behind]).cpu_millicores == 5000
    assert requests_of(containers=main, initContainers=[sidecar]).cpu_millicores == 3000


def test_requests_default_to_limits() -> None:
    """What has a limit and no request requests its limit; a request of zero stays zero."""
    limited = container(limits={"nvidia.com/gpu": "2", "cpu": "4"}, requests={"cpu": "0"})
    assert requests_of(containers=[limited]) == Amounts(scalars=(("nvidia.com/gpu", 2),))


def test_pod_level_requests_replace_those_of_containers() -> None:
    """A request at pod level counts instead of the containers', overhead comes on top of it."""
    spec = {
        "containers": [container(requests={"cpu": "1", "memory": "1Gi"})],
        "resources": {"requests": {"cpu": "3"}},
        "overhead": {"cpu": "250m"},
    }
    read = pod_from_object({"metadata": {"name": "p"}, "spec": spec}).spec
    assert read.requests == Amounts(3250, 1024 * MIB)
    assert read.accounted == (3250, 1024 * MIB)
    assert read.scored == (1250, 1024 * MIB)


def test_fractions_are_rounded_up() -> None:
    """CPU is whole millicores and memory whole bytes, each rounded up."""
    assert requests_of(containers=[container(requests={"cpu": "0.1001", "memory": "0.5"})]) == Amounts(101, 1)


def test_what_requests_nothing_counts_by_defaults_in_scores() -> None:
    """A container that requests nothing counts as 100m and 200Mi when nodes are scored, and as nothing else."""
    read = pod_from_object({"metadata": {"name": "p"}, "spec": {"containers": [container(), container()]}}).spec
    assert read.requests == Amounts()
    assert read.accounted == read.scored == (200, 400 * MIB)


def test_match_label_keys_take_the_values_of_the_pod() -> None:
    """MatchLabelKeys and mismatchLabelKeys become requirements with the pod's own values; absent keys vanish."""
    labels = {"app": "a", "pod-template-hash": "7", "tier": "x"}
    keys = {"matchLabelKeys": ["pod-template-hash", "none"], "mismatchLabelKeys": ["tier"]}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term(**keys)]}}
    (read,) = pod("p", labels=labels, affinity=affinity).spec.affinity
    assert read.selector.requirements == (
        Requirement("app", "In", ("a",)),
        Requirement("pod-template-hash", "In", ("7",)),
        Requirement("tier", "NotIn", ("x",)),
    )


def test_terms_mean_their_own_namespace_unless_they_name_others() -> None:
    """Without namespaces and selector a term means the pod's namespace; with either, only those."""
    affinity = {
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                term(),
                term(namespaces=["x"]),
                term(namespaceSelector={}),
            ]
        }
    }
    own, named, every = pod("p", affinity=affinity).spec.affinity
    assert own.namespaces == {"default"}
    assert named.namespaces == {"x"}
    assert every.namespaces == frozenset()
    assert every.namespace_selector.is_empty


def test_host_ports_are_of_containers_and_sidecars() -> None:
    """Init containers that end take no port; in the host's network every port is the host's."""
    port = {"containerPort": 80, "hostPort": 8080}
    one = {"name": "c", "ports": [port]}
    spec = {"containers": [{"name": "d", "ports": [{"containerPort": 80}]}], "initContainers": [one]}
    assert pod_from_object({"spec": spec}).spec.host_ports == ()
    one["restartPolicy"] = "Always"
    assert pod_from_object({"spec": spec}).spec.host_ports == (HostPort("0.0.0.0", "TCP", 8080),)
    spec["hostNetwork"] = True
    assert [one.port for one in pod_from_object({"spec": spec}).spec.host_ports] == [8080, 80]


def test_priority_classes_are_looked_up() -> None:
    """A priority class gives the priority where the pod states none; an unknown one is a problem."""
    assert pod("p", priorityClassName="system-node-critical").spec.priority == 2_000_001_000
    assert pod("p", priorityClassName="x", priority=5).spec.priority == 5
    with pytest.raises(SpecError, match=r'spec\.priorityClassName: must be a known priority class, got "x"'):
        pod("p", priorityClassName="x")


def test_a_node_is_read() -> None:
    """Labels, taints, cordon, allocatable and images; capacity stands in where allocatable is missing."""
    read = node_from_object(
        {
            "metadata": {"name": "n", "labels": {"a": "b"}},
            "spec": {"unschedulable": True, "taints": [{"key": "k", "effect": "NoExecute"}]},
            "status": {
                "capacity": {"cpu": "3900m", "memory": "1Ki", "pods": "7", "amd.com/gpu": "8", "odd": "1"},
                "images": [{"names": ["i:1", "i@sha256:x"], "sizeBytes": 5}],
            },
        }
    )
    assert read.allocatable == Amounts(3900, 1024, 0, (("amd.com/gpu", 8),))
    assert (read.pods_max, read.unschedulable) == (7, True)
    assert read.taints == (Taint("k", "", "NoExecute"),)
    assert read.images == {"i:1": 5, "i@sha256:x": 5}


def test_every_problem_is_told_with_its_path() -> None:
    """All faults of a pod come at once, each with its path."""
    spec = {
        "containers": [{"resources": {"requests": {"cpu": "many"}}}],
        "tolerations": [{"operator": "Exist"}],
        "nodeSelector": ["x"],
        "topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "Gt", "values": ["x"]}]}]
                }
            }
        },
    }
    with pytest.raises(SpecError) as caught:
        pod_from_object({"spec": spec}, path="spec.template")
    cpu = "spec.template.spec.containers[0].resources.requests.cpu"
    terms = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
    assert sorted(str(problem) for problem in caught.value.problems) == [
        f"spec.template.spec.{terms}.matchExpressions[0].values: must be one whole number with Gt, got ['x']",
        f'{cpu}: must be a quantity such as 2, 500m or 4Gi, got "many"',
        "spec.template.spec.nodeSelector: must be a mapping, got a list",
        'spec.template.spec.tolerations[0].operator: must be one of Equal, Exists, Lt, Gt, got "Exist"',
        "spec.template.spec.topologySpreadConstraints[0].maxSkew: must be >= 1, got 0",
    ]


def test_claims_are_counted_per_device_class() -> None:
    """A claim is a count of devices of a class; a pod's claims add up; another form is refused."""
    request = {"name": "r", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 2}}
    claim = {"spec": {"spec": {"devices": {"requests": [request, {"exactly": {"deviceClassName": "x"}}]}}}}
    devices = devices_from_claim(claim)
    assert devices == {"gpu.nvidia.com": 2, "x": 1}
    spec = {"resourceClaims": [{"resourceClaimTemplateName": "t"}, {"resourceClaimTemplateName": "t"}]}
    read = pod_from_object({"spec": spec}, claims={"t": devices})
    assert read.spec.devices == (("gpu.nvidia.com", 4), ("x", 2))
    with pytest.raises(SpecError, match="only counts of one device class are modelled"):
        devices_from_claim({"spec": {"devices": {"requests": [{"firstAvailable": []}]}}})


def test_what_is_left_out_is_named() -> None:
    """Volumes, unknown claims, other schedulers and groups are named; a plain pod has nothing to name."""
    spec = {
        "volumes": [{"emptyDir": {}}, {"persistentVolumeClaim": {"claimName": "c"}}],
        "resourceClaims": [{"resourceClaimName": "k"}],
        "schedulerName": "other",
        "schedulingGroup": {"podGroupName": "g"},
    }
    named = [line.partition(":")[0] for line in not_modelled({"spec": spec})]
    assert named == [
        "spec.volumes[1].persistentVolumeClaim",
        "spec.resourceClaims[0]",
        "spec.schedulerName",
        "spec.schedulingGroup",
    ]
    assert not_modelled({"spec": {"containers": [{}], "volumes": [{"configMap": {}}]}}) == []
