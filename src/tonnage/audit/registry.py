"""Every rule, by code; a rule that is not in this table does not run."""

from __future__ import annotations

from typing import Final

from tonnage.audit.rule import Rule
from tonnage.audit.rules import (
    tng001_gpu_only_in_requests,
    tng002_gpu_is_fractional,
    tng003_gpu_request_differs_from_limit,
    tng004_gpu_resource_unknown,
    tng005_cpu_not_requested,
    tng006_memory_not_requested,
    tng007_memory_not_limited,
    tng008_request_exceeds_limit,
    tng009_shared_memory_too_small,
    tng010_memory_volume_unbounded,
    tng011_gpu_asked_twice,
    tng012_gpu_taken_by_variable,
    tng020_gpu_without_toleration,
    tng021_gpu_type_not_chosen,
    tng022_gpu_nodes_taken_by_others,
    tng023_no_node_can_run_it,
    tng024_replicas_exceed_stock,
    tng025_node_named,
    tng901_excuse_without_reason,
    tng902_excuse_unused,
)

RULES: Final[tuple[Rule, ...]] = (
    tng001_gpu_only_in_requests.RULE,
    tng002_gpu_is_fractional.RULE,
    tng003_gpu_request_differs_from_limit.RULE,
    tng004_gpu_resource_unknown.RULE,
    tng005_cpu_not_requested.RULE,
    tng006_memory_not_requested.RULE,
    tng007_memory_not_limited.RULE,
    tng008_request_exceeds_limit.RULE,
    tng009_shared_memory_too_small.RULE,
    tng010_memory_volume_unbounded.RULE,
    tng011_gpu_asked_twice.RULE,
    tng012_gpu_taken_by_variable.RULE,
    tng020_gpu_without_toleration.RULE,
    tng021_gpu_type_not_chosen.RULE,
    tng022_gpu_nodes_taken_by_others.RULE,
    tng023_no_node_can_run_it.RULE,
    tng024_replicas_exceed_stock.RULE,
    tng025_node_named.RULE,
    tng901_excuse_without_reason.RULE,
    tng902_excuse_unused.RULE,
)
