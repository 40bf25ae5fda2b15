// Package scheduler lets Kubernetes' own scheduler answer the questions that tonnage.scheduling is asked, so
// that the two can be compared. It is built as a test binary and driven through its standard input and output:
// one JSON value a line, one answer a line, in one conversation about one cluster after the other.
//
//	{"op": "cluster", "nodes": [...], "pods": [...], ...}   a new cluster; answers {}
//	{"op": "schedule", "pod": {...}}                        where the pod would go; see answer
//	{"op": "bind", "pod": {...}}                            a pod with spec.nodeName; answers {}
//	{"op": "remove", "pod": {...}}                          a bound pod goes; answers {}
//	{"op": "update", "old": {...}, "pod": {...}}            a bound pod changes; answers {}
//	{"op": "nominate", "pod": {...}}                        a pod with status.nominatedNodeName; answers {}
//	{"op": "addNode" | "updateNode" | "removeNode", "node": {...}}
//
// Every pod passes through the API server's defaults and preparation first. Nothing of the scheduler is
// replaced: its cache, its snapshot, its default profile with every default plugin, SchedulePod and the default
// preemption. Only the deletion of victims is recorded instead of sent. TestOracle runs when TONNAGE_ORACLE is
// set.
package scheduler
