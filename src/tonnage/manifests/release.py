"""How a service is deployed: what the command line decides and its document does not say."""

from __future__ import annotations

from dataclasses import dataclass

from tonnage.spec.model import SampleTensor


@dataclass(frozen=True, slots=True)
class Release:
    """One way to deploy.

    Attributes:
        warmup_inputs: The sample request, read already where it stands in a file; None for none.
        model_image: OCI image or artifact whose files are the document's folder, mounted at ``/model``; None
            where the service's own image holds them.
        headless: Whether clients that balance by themselves get a Service without an address.
        pod_monitor: Whether the Prometheus operator is there and shall scrape the pods.
    """

    warmup_inputs: tuple[SampleTensor, ...] | None = None
    model_image: str | None = None
    pod_monitor: bool = False
    headless: bool = False
