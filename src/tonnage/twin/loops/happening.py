"""The scenario's happenings, each at its time."""

from __future__ import annotations

from functools import partial

from tonnage.twin import happenings as kinds
from tonnage.twin.events import Priority
from tonnage.twin.happenings import Happening
from tonnage.twin.loops.kubelets import Kubelets
from tonnage.twin.loops.nodes import Nodes
from tonnage.twin.loops.placing import Placing
from tonnage.twin.loops.rollout import Rollouts
from tonnage.twin.loops.scaling import Scaling
from tonnage.twin.records import PipelineRecord, Remark
from tonnage.twin.state import NodeState, PodState, Run


class Happenings:
    """Who does what the scenario says.

    Args:
        run: The run.
        nodes: Machines.
        kubelets: Containers.
        rollouts: The Deployment.
        scaling: The autoscaler.
        placing: The scheduler.
    """

    def __init__(
        self,
        run: Run,
        nodes: Nodes,
        kubelets: Kubelets,
        rollouts: Rollouts,
        scaling: Scaling,
        placing: Placing,
    ) -> None:
        self._run, self._nodes, self._kubelets = run, nodes, kubelets
        self._rollouts, self._scaling, self._placing = rollouts, scaling, placing
        self._rng = run.rng("happenings")

    def begin(self) -> None:
        """Plan them all, in order of time, equal times in the scenario's order."""
        for item in sorted(self._run.scenario.happenings, key=lambda happening: happening.at_s):
            self._run.engine.at(item.at_s, Priority.HAPPENING, partial(self._happen, item))
            if isinstance(item, kinds.MetricsOutage):
                restored = PipelineRecord(item.until_s, item.which, "restored")
                self._run.engine.at(
                    item.until_s, Priority.HAPPENING, partial(self._run.records.append, restored)
                )

    def _happen(self, item: Happening) -> None:
        match item:
            case kinds.NodeFails():
                self._nodes.fail(item.node, "it stopped")
            case kinds.NodeRecovers():
                self._nodes.recover(item.node)
            case kinds.NodeDrained():
                self._drain(item)
            case kinds.SpotInterruption():
                self._interrupt(item)
            case kinds.PodKilled():
                self._kill(item)
            case kinds.Rollout():
                self._rollouts.roll_out(item.revision)
            case kinds.HpaEdited():
                self._scaling.edit(item.autoscaler)
            case kinds.ReplicasEdited():
                self._rollouts.scale(item.replicas)
            case kinds.ControllerRestarted():
                self._restart(item)
            case kinds.MetricsOutage():
                detail = f"until {item.until_s:g} s"
                self._run.records.append(PipelineRecord(self._run.now_s, item.which, "outage", detail))
            case kinds.Annotated():
                self._run.records.append(Remark(self._run.now_s, item.text))

    def _drain(self, item: kinds.NodeDrained) -> None:
        self._nodes.drain(item.node, "kubectl drain")
        if item.uncordon_s is not None:
            self._run.engine.after(
                item.uncordon_s, Priority.HAPPENING, lambda: self._nodes.cordon(item.node, cordoned=False)
            )

    def _interrupt(self, item: kinds.SpotInterruption) -> None:
        name = item.node
        if name is None:
            spots = [node.name for node in self._run.nodes.values() if self._can_be_taken(node)]
            if not spots:
                self._run.records.append(Remark(self._run.now_s, "no spot node to interrupt"))
                return
            name = spots[int(self._rng.integers(len(spots)))]
        node = self._run.nodes.get(name)
        drained = node is None or node.plan.spot is None or node.plan.spot.drained
        self._nodes.interrupt(name, item.notice_s, drained=drained)

    def _can_be_taken(self, node: NodeState) -> bool:
        return node.alive and not node.leaving and node.plan.spot is not None

    def _kill(self, item: kinds.PodKilled) -> None:
        pod = self._victim(item.pod)
        if pod is None:
            self._run.records.append(Remark(self._run.now_s, f"no pod {item.pod or 'that is ready'} to kill"))
        elif item.by == "delete":
            self._run.delete(pod, "kubectl delete")
        elif pod.name in self._kubelets.replicas:
            self._kubelets.replicas[pod.name].crash("crashed", "the process ended")

    def _victim(self, name: str | None) -> PodState | None:
        if name is not None:
            return self._run.pods.get(name)
        return next((pod for pod in self._run.own_pods() if pod.active and pod.ready), None)

    def _restart(self, item: kinds.ControllerRestarted) -> None:
        detail = f"away for {item.away_s:g} s"
        self._run.records.append(PipelineRecord(self._run.now_s, item.controller, "restarted", detail))
        away = {
            "hpa": self._scaling.restart,
            "scheduler": self._placing.restart,
            "deployment": self._rollouts.restart,
            "node-lifecycle": self._nodes.restart,
        }
        away[item.controller](item.away_s)
