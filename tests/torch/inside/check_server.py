"""PyTorch models behind the real server process and real HTTP; run in PyTorch's own environment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import models

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch's own, while it exports

TENSORS = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 8]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}],
}


def config(path: Path, **more: Any) -> dict[str, Any]:
    return {"name": "m", "format": "torch", "path": str(path), "providers": ["cpu"], **more}


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    return models.exported(models.made(models.Linear), tmp_path / "linear.pt2", torch.zeros(4, 8))


BARE = models.made(models.Linear)  # once: making one sets the seed that all threads share


def expected(x: Any) -> Any:
    with torch.inference_mode():
        return BARE(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("kind", ["exported", "script"])
def test_answers_over_http_equal_the_bare_module(
    serve: Callable[..., Any], exported: Path, tmp_path: Path, kind: str
) -> None:
    """Both kinds of file, served, answer what the module answers, for one item and for several."""
    path = exported if kind == "exported" else models.scripted(models.made(models.Linear), tmp_path / "l.pt")
    server = serve(config(path, **TENSORS))
    assert server.ask("/v2/models/m")[1]["platform"] == (
        "pytorch_exported" if kind == "exported" else "pytorch_torchscript"
    )
    for n in (1, 7):
        x = np.random.default_rng(n).normal(size=(n, 8)).astype(np.float32)
        status, body, _ = server.infer("m", x.tolist())
        assert status == 200, body
        (output,) = body["outputs"]
        assert (output["name"], output["datatype"], output["shape"]) == ("y", "FP32", [n, 3])
        given = np.array(output["data"], np.float32).reshape(n, 3)
        np.testing.assert_allclose(given, expected(x), rtol=1e-5, atol=1e-6)
    assert server.stop() == 0


def test_requests_of_many_clients_get_their_own_answers(serve: Callable[..., Any], exported: Path) -> None:
    """Requests that share batches are answered with their own rows."""
    server = serve(config(exported), execution="thread")
    wrong: list[Any] = []

    def client(seed: int) -> None:
        for turn in range(10):
            x = np.random.default_rng(seed * 100 + turn).normal(size=(1 + seed % 3, 8)).astype(np.float32)
            status, body, _ = server.infer("m", x.tolist())
            given = np.array(body["outputs"][0]["data"], np.float32).reshape(-1, 3) if status == 200 else body
            if status != 200 or not np.allclose(given, expected(x), rtol=1e-5, atol=1e-6):
                wrong.append((status, given))

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_pickle_ends_the_server_with_the_way_to_export(serve: Callable[..., Any], tmp_path: Path) -> None:
    """A state_dict as a model ends the server with exit code 3 and one line that says what to do."""
    path = tmp_path / "weights.pt"
    torch.save(models.made(models.Linear).state_dict(), path)
    server = serve(config(path), ready=False)
    line = server.event("cannot serve")
    assert "a pickled module or state_dict" in line["error"]
    assert "torch.export.save" in line["error"]
    assert server.process.wait(30) == 3


def test_a_wrong_shape_is_refused_before_the_model(serve: Callable[..., Any], exported: Path) -> None:
    """A request that does not fit the program's own signature gets 400 and the shape that fits."""
    status, body, _ = serve(config(exported)).infer("m", [[1.0] * 7])
    assert status == 400
    assert body["error"] == 'input "x": shape must be [-1,8], got [1,7]'
