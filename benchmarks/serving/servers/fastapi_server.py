"""FastAPI on uvicorn, the usual choice: pydantic bodies, the model called inline, no batching.

``BENCH_CODEC=orjson`` is the same service with the body parsed by orjson and no response model: what a careful user
of FastAPI would write when speed matters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import model
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

loaded: list[model.Model] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    loaded.append(model.Model())
    yield


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    data: list[float]


class Answer(BaseModel):
    output: list[float]


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ok": True}


if model.VARIANT == "orjson":

    @app.post("/predict")
    async def predict_raw(request: Request) -> Response:
        rows = [orjson.loads(await request.body())["data"]]
        body = orjson.dumps({"output": loaded[0].predict(rows)[0].tolist()})
        return Response(body, media_type="application/json")

else:

    @app.post("/predict", response_model=Answer)
    async def predict(question: Question) -> Answer:
        return Answer(output=loaded[0].predict([question.data])[0].tolist())


if __name__ == "__main__":
    uvicorn.run(
        "fastapi_server:app",
        host="127.0.0.1",
        port=model.PORT,
        workers=model.WORKERS,
        access_log=False,
        log_level="warning",
    )
