"""KServe's Python SDK (the batcher of KServe is a separate Go side-car, so there is none here)."""

from __future__ import annotations

import functools

import kserve.protocol.rest.server as rest
import model
import uvicorn
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

# The SDK has 0.0.0.0 written into it; a benchmark must not listen to the network.


class LoopbackConfig(uvicorn.Config):  # type: ignore[misc]
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{**kwargs, "host": "127.0.0.1"})


rest.uvicorn.Config = LoopbackConfig


class Predictor(Model):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ready = True

    @functools.cached_property
    def loaded(self) -> model.Model:  # lazily: with workers > 1 the SDK pickles this object into each of them
        return model.Model()

    def load(self) -> bool:
        return True

    def predict(self, payload: InferRequest, headers: object = None, response_headers: object = None) -> InferResponse:
        output = self.loaded.predict(payload.inputs[0].as_numpy())
        tensor = InferOutput(name="output", shape=list(output.shape), datatype="FP32")
        tensor.set_data_from_numpy(output, binary_data=False)
        return InferResponse(response_id=payload.id or "", model_name=self.name, infer_outputs=[tensor])


if __name__ == "__main__":
    server = ModelServer(http_port=model.PORT, enable_grpc=False, workers=model.WORKERS, access_log_format=None)
    server.start([Predictor(model.MODEL_NAME)])
