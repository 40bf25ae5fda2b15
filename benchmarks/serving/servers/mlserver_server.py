"""MLServer: a custom runtime; ``mlserver start DIR`` imports it (the harness writes DIR's settings)."""

from __future__ import annotations

import model
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Runtime(MLModel):  # type: ignore[misc]
    async def load(self) -> bool:
        self.model = model.Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        output = self.model.predict(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("output", output)])
