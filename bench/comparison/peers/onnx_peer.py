# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: graphs in ONNX's text form, run on values that are bound once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx.parser
import onnxruntime

from ..subject import Job, Subject

BODIES = {
    "mean_squared_error": "d = Sub(p, t) s = Mul(d, d) y = ReduceMean<keepdims=0>(s)",
    "mean_absolute_error": "d = Sub(p, t) s = Abs(d) y = ReduceMean<keepdims=0>(s)",
    "hinge": """one = Constant<value = float {1.0}>() m = Mul(t, p) d = Sub(one, m) s = Relu(d)
        y = ReduceMean<keepdims=0>(s)""",
    "binary_crossentropy_from_logits": """r = Relu(p) m = Mul(p, t) a = Abs(p) n = Neg(a) e = Exp(n)
        one = Constant<value = float {1.0}>() f = Add(one, e) l = Log(f) d = Sub(r, m)
        s = Add(d, l) y = ReduceMean<keepdims=0>(s)""",
    "kl_divergence": """q = Div(t, p) l = Log(q) m = Mul(t, l) axes = Constant<value_ints=[-1]>()
        s = ReduceSum<keepdims=0>(m, axes) y = ReduceMean<keepdims=0>(s)""",
    "categorical_crossentropy_from_logits": """l = LogSoftmax<axis=AXIS>(p) m = Mul(t, l)
        axes = Constant<value_ints=[AXIS]>() s = ReduceSum<keepdims=0>(m, axes) n = Neg(s)
        y = ReduceMean<keepdims=0>(n)""",
    "sparse_categorical_crossentropy_from_logits": "y = SoftmaxCrossEntropyLoss(p, t)",
    "cosine_similarity": """tp = Mul(t, p) tt = Mul(t, t) pp = Mul(p, p)
        axes = Constant<value_ints=[-1]>() a = ReduceSum<keepdims=0>(tp, axes)
        b = ReduceSum<keepdims=0>(tt, axes) c = ReduceSum<keepdims=0>(pp, axes) q = Mul(b, c)
        r = Sqrt(q) s = Div(a, r) n = Neg(s) y = ReduceMean<keepdims=0>(n)""",
}


def subjects(job: Job) -> Iterator[Subject]:
    workload = job.workload
    body = BODIES.get(workload.loss)
    if body is None or workload.gradient or workload.dtype != "float32":
        return
    t, p = job.y_true, job.y_pred
    kinds = "int32" if workload.is_sparse else "float"
    shapes = [",".join(map(str, array.shape)) for array in (t, p)]
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 17]>
        loss ({kinds}[{shapes[0]}] t, float[{shapes[1]}] p) => (float y)
        {{ {body.replace("AXIS", str(workload.axis))} }}"""
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.n_threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for name, array in ("t", t), ("p", p):
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    binding.bind_output("y")

    def call() -> Any:
        session.run_with_iobinding(binding)
        return binding

    yield Subject("ONNX Runtime", call, lambda bound: float(bound.get_outputs()[0].numpy()))
