"""``spec``: everything about a service but its name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tonnage.spec.model import ModelSource
from tonnage.spec.placement import Probes, Resources, Scheduling
from tonnage.spec.scalars import DnsSubdomain, Part, Whole, text_form
from tonnage.spec.scaling import Scaling
from tonnage.spec.serving import Batching, Objective, Server

ImageReference = Annotated[
    str,
    text_form(
        r"([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
        r"(@sha256:[0-9a-f]{64})?",
        "must be an image reference such as registry.example.com/team/model:v1.2.3",
        length_max=512,
    ),
]


class ModelServiceSpec(Part):
    """What is served, how well, with what, and where."""

    model: ModelSource
    """The model."""
    image: ImageReference | None = None
    """The container image that replicas run; needed to render manifests, not to serve on this machine."""
    image_pull_secrets: tuple[DnsSubdomain, ...] = ()
    """Secrets for the image's registry."""
    replicas: Annotated[Whole, Field(ge=1, le=100_000)] = 1
    """Replicas that `tonnage up` starts, and that a Deployment has when `scaling` is null."""
    objective: Objective = Objective()
    """What the service must do: how many requests, how fast."""
    resources: Resources = Resources()
    """What one replica asks for."""
    batching: Batching = Batching()
    """How requests are gathered into one call of the model."""
    server: Server = Server()
    """The model server's ports, processes, shutdown, limits and logs."""
    scaling: Scaling | None = None
    """Autoscaling; null keeps the number of replicas."""
    probes: Probes = Probes()
    """How the state of a replica is known."""
    scheduling: Scheduling = Scheduling()
    """Which nodes replicas may run on, and how they are spread."""
