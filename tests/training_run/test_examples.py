"""The examples' documents, without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tonnage.spec.load import load_training_job
from tonnage.training import choose_unseen, render

EXAMPLES = Path(__file__).parents[2] / "examples" / "training"
DOCUMENTS = sorted(EXAMPLES.glob("*/job.yaml"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.parent.name)
def test_an_example_brings_all_that_its_objects_refer_to(document: Path) -> None:
    """Its claim is the one in its folder, its ConfigMap is made from a file there, its image by the Dockerfile there."""
    job = load_training_job(document)
    choice = choose_unseen(job)
    made = render(job, backend=choice.backend, gang=choice.gang, namespace="default")
    assert made.objects
    claim = yaml.safe_load((document.parent / "claim.yaml").read_text())
    spec = job.to_document()["spec"]
    claims = [volume["claim"] for volume in spec["volumes"] if volume["type"] == "claim"]
    assert claims == [claim["metadata"]["name"]]
    maps = [volume["configMap"] for volume in spec["volumes"] if volume["type"] == "configMap"]
    how = document.read_text()
    assert all(f"kubectl create configmap {name} --from-file=train.py" in how for name in maps)
    assert bool(maps) != (document.parent / "Dockerfile").is_file()
    assert (document.parent / Path(spec["command"][1]).name).is_file()


def test_the_tensorflow_example_has_a_replica_for_each_role() -> None:
    """As a TFJob: one chief, two workers, one parameter server."""
    job = load_training_job(EXAMPLES / "tensorflow" / "job.yaml")
    made = render(job, backend="tfjob", gang="none", namespace="default").objects[-1]
    replicas = {role: one["replicas"] for role, one in made["spec"]["tfReplicaSpecs"].items()}
    assert replicas == {"Chief": 1, "Worker": 2, "PS": 1}
