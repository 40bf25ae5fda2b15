"""From texts to a scenario: everything read, everything that is wrong told at once, every assumption said."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tonnage.contract.server_config import ServerConfig
from tonnage.errors import Problem, SpecError
from tonnage.hpa import Hpa
from tonnage.kube.objects import KubeObject, Reference
from tonnage.kube.text import Document
from tonnage.plan.beside import beside_s
from tonnage.plan.price import PriceTable, example_prices
from tonnage.profile import ModelProfile
from tonnage.spec.simulation import SimulationSpec
from tonnage.traffic import ArrivalProcess, PoissonArrivals, clipped
from tonnage.twin.cluster_plan import ClusterPlan
from tonnage.twin.inputs import cluster as clusters
from tonnage.twin.inputs import not_modelled as absent
from tonnage.twin.inputs.assumptions import replica_assumptions
from tonnage.twin.inputs.collect import Collected, collect
from tonnage.twin.inputs.gather import gather
from tonnage.twin.inputs.happenings import Course, read_hpa
from tonnage.twin.inputs.metrics import WINDOW_S_DEFAULT, metrics_plan
from tonnage.twin.inputs.options import MEANINGS, Options
from tonnage.twin.inputs.others import budget_of, other_pods, rollout_plan, surge_of
from tonnage.twin.inputs.rendered import rendered_settings
from tonnage.twin.inputs.revision import MadeRevision, RevisionFacts, make_revision, priorities_of
from tonnage.twin.inputs.settings import client_of, control_of, network_of, objective_of
from tonnage.twin.inputs.texts import InputTexts
from tonnage.twin.inputs.traffic import DURATION_S_DEFAULT, arrival_process
from tonnage.twin.inputs.workload import choose, selector_problems
from tonnage.twin.metrics_plan import MetricsPlan
from tonnage.twin.requests import plan_of
from tonnage.twin.scenario import Scenario
from tonnage.twin.workload import Workload

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Experiment:
    """What the documents and options come to.

    Attributes:
        scenario: The twin's input.
        assumed: What was taken where nothing was said, as sentences.
        assertions: What the Simulation wants to be true of the result.
        currency: Of the scenario's prices.
        profile: What was measured; None for nothing.
    """

    scenario: Scenario
    assumed: tuple[str, ...] = ()
    assertions: tuple[str, ...] = ()
    currency: str = "USD"
    profile: ModelProfile | None = None


def read(texts: InputTexts, options: Options = Options(), *, prices: PriceTable | None = None) -> Experiment:
    """Makes a scenario of documents and Kubernetes objects.

    Args:
        texts: What ``load_texts`` read, or texts from anywhere.
        options: What the command line says; it goes before the documents.
        prices: Prices for nodes that have none of their own; None takes the example table.

    Raises:
        SpecError: Something is wrong; it holds every problem, each with file, line and path.
    """
    problems: list[Problem] = []
    for places in (False, True):  # Only a problem needs its place, and reading with places is slow.
        collected, problems = collect(texts, places=places)
        reading = _Reading(texts, collected, options, prices or example_prices(), problems)
        experiment = reading.experiment()
        if not problems and experiment is not None:
            return experiment
    raise SpecError(_ordered(problems, texts))


def _ordered(problems: Sequence[Problem], texts: InputTexts) -> list[Problem]:
    """In the files' order; of several at one place the first, which is the plainest."""
    rank = {file.name: place for place, file in enumerate(texts.inputs)}

    def key(problem: Problem) -> tuple[int, int, int]:
        return rank.get(problem.file or "", len(rank)), problem.line or 0, problem.column or 0

    kept: dict[object, Problem] = {}
    for problem in problems:
        kept.setdefault((problem.file, problem.line, problem.column, problem.path), problem)
    return sorted(kept.values(), key=key)


@dataclass(frozen=True, slots=True)
class _Known:
    """Parts of the scenario that were made without a problem."""

    workload: Workload
    cluster: ClusterPlan
    process: ArrivalProcess
    duration_s: float
    hpa: Hpa | None
    metrics: MetricsPlan
    course: Course


@dataclass(slots=True)
class _Reading:
    """One reading, and what was found wrong and assumed so far."""

    texts: InputTexts
    collected: Collected
    options: Options
    prices: PriceTable
    problems: list[Problem]
    assumed: list[str] = field(default_factory=list)
    not_modelled: list[str] = field(default_factory=list)

    @property
    def said(self) -> SimulationSpec:
        simulation = self.collected.simulation
        return simulation.spec if simulation is not None else SimulationSpec()

    @property
    def document(self) -> KubeObject:
        """The Simulation, for positions; an empty document where there is none."""
        name = self.texts.inputs[0].name if self.texts.inputs else "<none>"
        return self.collected.simulation_item or KubeObject(Reference("", ""), {}, name, Document(None))

    def experiment(self) -> Experiment | None:
        """The experiment; None when something is wrong."""
        self._check_options()
        gathered = gather(self.collected, self.document)
        objects = gathered.objects
        self.problems += gathered.problems
        self.assumed += gathered.assumed
        self.not_modelled += gathered.not_modelled
        self._check_selectors(objects)
        chosen, problems = choose(objects, self._wanted())
        if objects or not self.problems:
            self.problems += problems
        process, duration_s = self._traffic()
        if chosen.deployment is None or not self.collected.shapes_are_sound:
            return None
        facts = RevisionFacts(
            self.collected.service,
            self.collected.profile,
            self.said.server,
            self.said.pod,
            self.options.service_time_s,
            self.options.container,
            priorities_of(objects),
            rendered_settings(chosen.deployment, objects),
        )
        made, problems = make_revision(chosen.deployment, facts)
        self.problems += problems
        hpa = self._read_hpa(chosen.hpa)
        workload = self._workload(chosen.deployment, hpa, made)
        cluster = self._cluster(objects, chosen.deployment, workload, hpa, facts)
        course = Course(self.document, chosen.deployment, chosen.hpa, facts, cluster, [])
        course.hpas = [chosen.hpa] if chosen.hpa is not None else []
        if made is not None:
            course.servers = [(made.serving, made.server)]
            course.play(self.said.happenings)
        self.problems += course.problems
        metrics = self._metrics(course.hpas, facts.config)
        if self.problems or made is None or workload is None or cluster is None or process is None:
            return None
        self._say_what_is_absent(objects, chosen.deployment, made, chosen.hpa)
        life = made.revision.life
        self.assumed += replica_assumptions(facts, life, made.server, made.container)
        self.not_modelled += course.not_modelled
        known = _Known(workload, cluster, process, duration_s, hpa, metrics, course)
        scenario = self._guarded(lambda: self._scenario(known), self.document)
        pools, profile = self.collected.pools, self.collected.profile
        currency = pools.spec.currency if pools is not None else self.prices.currency
        if scenario is None:
            return None
        return Experiment(scenario, tuple(self.assumed), self.said.assertions, currency, profile)

    def _scenario(self, known: _Known) -> Scenario:
        service = self.collected.service
        latency = service.spec.objective.latency if service is not None else None
        profile = self.collected.profile
        seed = self.options.seed if self.options.seed is not None else self.said.seed
        return Scenario(
            name=self._name(known.workload.name),
            workload=known.workload,
            cluster=known.cluster,
            traffic=plan_of(known.process, seed=seed),
            servers=tuple(server for _, server in known.course.servers),
            client=client_of(self.said.client),
            duration_s=known.duration_s,
            network=network_of(self.said.client, beside_s(profile) if profile is not None else 0.0),
            autoscaler=known.hpa,
            metrics=known.metrics,
            control=control_of(self.said.control),
            happenings=tuple(known.course.happenings),
            objective=objective_of(self.said.objective, latency),
            interval_s=self.options.interval_s or self.said.interval.seconds,
            seed=seed,
            not_modelled=tuple(dict.fromkeys(self.not_modelled)),
        )

    def _workload(
        self, deployment: KubeObject, hpa: Hpa | None, made: MadeRevision | None
    ) -> Workload | None:
        if made is None:
            return None
        labels = deployment.at("spec", "template", "metadata", "labels") or {}
        replicas = self._replicas(deployment, hpa)
        return self._guarded(
            lambda: Workload(
                name=deployment.name,
                revision=made.revision,
                replicas=replicas,
                namespace=deployment.namespace,
                labels=dict(labels),
                rollout=rollout_plan(deployment),
                started=self.said.start.ready,
                container=str(made.container.get("name")),
            ),
            deployment,
        )

    def _check_options(self) -> None:
        for name, meaning in self.options.meanings.items():
            if meaning not in MEANINGS:
                message = f'must be one of {", ".join(MEANINGS)}, got "{meaning}"'
                self.problems.append(Problem(f"--metric {name}", message))

    def _check_selectors(self, objects: Sequence[KubeObject]) -> None:
        """Selectors that match nothing; where foreign kinds may make pods, they may match those."""
        foreign = absent.kinds_not_modelled(objects)
        self.problems += selector_problems(objects, with_others=not foreign)

    def _wanted(self) -> str | None:
        if self.options.workload is not None:
            return self.options.workload
        service = self.collected.service
        return service.name if service is not None else None

    def _read_hpa(self, item: KubeObject | None) -> Hpa | None:
        if item is None:
            return None
        hpa, problems = read_hpa(item)
        self.problems += problems
        return hpa

    def _guarded(self, make: Callable[[], T], item: KubeObject) -> T | None:
        """What is made; a value that a constructor refuses becomes a problem of the document."""
        try:
            return make()
        except SpecError as error:
            self.problems += [one if one.file else item.placed(one) for one in error.problems]
        except ValueError as error:
            self.problems.append(item.problem(("spec",), str(error)))
        return None

    def _replicas(self, deployment: KubeObject, hpa: Hpa | None) -> int:
        given = deployment.at("spec", "replicas")
        choices = (self.options.replicas, self.said.start.replicas, given if isinstance(given, int) else None)
        said = next((one for one in choices if one is not None), None)
        if said is not None:
            return said
        least = hpa.replicas_min if hpa is not None else 1
        if hpa is not None:
            self.assumed.append(f"the run begins with {least} replicas, the HPA's minimum")
        return least

    def _traffic(self) -> tuple[ArrivalProcess | None, float]:
        """The arrivals and the length of the run [s]."""
        wanted_s = self.options.duration_s
        if wanted_s is None and self.said.duration is not None:
            wanted_s = self.said.duration.seconds
        process = self.options.traffic
        if process is None and self.said.traffic is not None:
            process = self._said_traffic(wanted_s)
            if process is None:
                return None, DURATION_S_DEFAULT
        if process is None:
            process = self._objective_traffic(wanted_s)
        if process is None:
            hint = "or write traffic in a Simulation, or requestsPerSecond in a ModelService's objective"
            self.problems.append(Problem("--traffic", "must be given", hint=hint))
            return None, DURATION_S_DEFAULT
        length_s = wanted_s or process.duration_s
        return (clipped(process, duration_s=length_s) if process.duration_s > length_s else process), length_s

    def _said_traffic(self, wanted_s: float | None) -> ArrivalProcess | None:
        said = self.said.traffic
        assert said is not None, "asked where there is some"
        try:
            return arrival_process(said, self.texts.traces, wanted_s)
        except SpecError as error:
            for one in error.problems:
                path = f"spec.traffic.{one.path}" if one.path else "spec.traffic"
                inner = dataclasses.replace(one, path=path)
                self.problems.append(one if one.file else self.document.placed(inner))
            return None

    def _objective_traffic(self, wanted_s: float | None) -> ArrivalProcess | None:
        service = self.collected.service
        rate = service.spec.objective.requests_per_second if service is not None else None
        if rate is None:
            return None
        length_s = wanted_s or DURATION_S_DEFAULT
        self.assumed.append(f"traffic is the objective's {rate} requests/s, Poisson, for {length_s:g} s")
        return PoissonArrivals(rate.per_second, length_s)

    def _cluster(
        self,
        objects: Sequence[KubeObject],
        deployment: KubeObject,
        workload: Workload | None,
        hpa: Hpa | None,
        facts: RevisionFacts,
    ) -> ClusterPlan | None:
        items = [item for item in objects if item.kind == "Node"]
        nodes, assumed, problems = clusters.nodes_from_objects(items, self.prices)
        self.assumed += assumed
        pools, autoscaler = (
            clusters.pools_from_document(self.collected.pools) if self.collected.pools else ((), None)
        )
        if self.collected.pools is not None and (source := self.collected.pools.spec.price_source):
            self.assumed.append(f"prices are from {source}")
        given = bool(items) or self.collected.pools_item is not None
        if not given and workload is not None:
            template: dict[str, Any] = deployment.at("spec", "template")
            most = max(workload.replicas, hpa.replicas_max if hpa is not None else 0)
            room = most + surge_of(workload.rollout, most)
            default = clusters.default_cluster(workload.revision.pod, template, room, self.prices)
            pools = default.pools
            self.assumed.append(default.assumed)
        names = [plan.node.name for plan in nodes] if given else []
        others, assumed, wrong = other_pods(objects, deployment, facts.priorities, names)
        self.assumed += assumed
        budget, odd = budget_of(objects, deployment)
        self.problems += [*problems, *wrong, *odd]
        if not nodes and not pools:
            return None  # A problem of the nodes, the pools or the template, told above.
        return self._guarded(lambda: ClusterPlan(nodes, pools, autoscaler, tuple(others), budget), deployment)

    def _metrics(self, hpas: Sequence[KubeObject], config: ServerConfig | None) -> MetricsPlan:
        known = {name: one for name, one in self.options.meanings.items() if one in MEANINGS}
        service = self.collected.service
        window_s = config.window_s if config is not None else WINDOW_S_DEFAULT
        if service is not None:
            window_s = service.spec.server.latency_window.seconds
        plan, problems = metrics_plan(
            self.said.metrics,
            known,
            hpas,
            self.collected.profile,
            lenient=self.said.lenient,
            window_s=window_s,
        )
        self.problems += problems
        return plan

    def _say_what_is_absent(
        self,
        objects: Sequence[KubeObject],
        deployment: KubeObject,
        made: MadeRevision,
        hpa: KubeObject | None,
    ) -> None:
        self.not_modelled += absent.workload_not_modelled(deployment, made.container)
        for item in objects:
            if item.kind == "Service":
                self.not_modelled += absent.service_not_modelled(item)
            elif item.kind == "HorizontalPodAutoscaler" and (hpa is None or item.reference != hpa.reference):
                self.not_modelled.append(f"{item.reference}: it scales another workload, whose pods stay")
        self.not_modelled += absent.kinds_not_modelled(objects)

    def _name(self, workload: str) -> str:
        simulation = self.collected.simulation
        if self.options.name is not None:
            return self.options.name
        return simulation.metadata.name if simulation is not None else workload
