"""The runtime that MLServer loads in each of its parallel workers."""

from __future__ import annotations

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from benchmarks.rivals.answers import Answers


class Predictions(MLModel):
    """Answers the first row of the input tensors."""

    async def load(self) -> bool:
        """Load the model."""
        self._answers = Answers()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return one row of output tensors."""
        flight = {tensor.name: StringCodec.decode_input(tensor)[0] for tensor in payload.inputs}
        answer = self._answers.of(**flight)
        columns = {
            "delay_probability": [answer["delay_probability"]],
            "base_rate": [answer["base_rate"]],
            "exceeds": list(answer["exceeds"].values()),
            "minutes": list(answer["minutes"].values()),
        }
        outputs = [
            ResponseOutput(name=name, shape=[1, len(row)], datatype="FP64", data=row) for name, row in columns.items()
        ]
        outputs.append(ResponseOutput(name="delayed", shape=[1], datatype="INT64", data=[int(answer["delayed"])]))
        outputs.append(StringCodec.encode_output("warnings", ["; ".join(answer["warnings"])]))
        return InferenceResponse(model_name=self.name, outputs=outputs)
