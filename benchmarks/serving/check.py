"""Are the answers right while many clients ask at once?

A batcher that mixes up rows is fast and wrong, so nothing is timed before every answer has been compared with
the reference of its own row.
"""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.serving.payloads import Workload, answer, body

TOLERANCE = 2e-4
"""Largest absolute difference from the reference; batches of other sizes round differently."""


def compare(
    port: int, path: str, style: str, workload: Workload, *, threads: int = 64, questions: int = 256
) -> str:
    """Asks different rows from many threads at once and compares each answer with its own row's reference.

    Returns:
        ``ok``, or a text that says what was wrong first and how often.
    """

    def one(thread: int) -> list[str]:
        wrong = []
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for index in range(thread, questions, threads):
            document = body(style, workload, workload.rows[index])
            connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json"})
            response = connection.getresponse()
            said = response.read()
            if response.status != 200:
                wrong.append(f"row {index}: status {response.status} {said[:200]!r}")
                continue
            got, wanted = np.asarray(answer(style, json.loads(said))), workload.answers[index]
            if got.shape != wanted.shape:
                wrong.append(f"row {index}: shape {got.shape}, wanted {wanted.shape}")
            elif not np.allclose(got, wanted, rtol=0, atol=TOLERANCE):
                wrong.append(f"row {index}: differs by {np.abs(got - wanted).max():.2g}")
        connection.close()
        return wrong

    def guarded(thread: int) -> list[str]:
        try:
            return one(thread)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            return [f"thread {thread}: {error!r}"]

    with ThreadPoolExecutor(threads) as pool:
        wrong = [text for texts in pool.map(guarded, range(threads)) for text in texts]
    return "ok" if not wrong else f"{len(wrong)} wrong; first: {wrong[0]}"
