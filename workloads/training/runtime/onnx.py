"""A trained network as an ONNX file, compared with PyTorch before anybody gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloads.training.runtime.workload import Exportable

TOLERANCE = 1e-4
"""How far the answers of both may be apart: of floats; uint8 may be one apart, as both round."""


def to_onnx(model: Exportable, facts: Mapping[str, str]) -> bytes:
    """Return a network as an ONNX file for any number of rows, after ONNX Runtime has given PyTorch's answers with it.

    Args:
        model: The network with an example of its inputs.
        facts: What the file says of itself, in its metadata.

    Raises:
        InputError: The packages of the group `onnx` are not installed, or the answers cannot be compared or differ.
    """
    try:
        import onnxruntime  # noqa: F401, PLC0415 - an optional part
        import onnxscript  # noqa: F401, PLC0415 - what PyTorch's exporter needs
    except ImportError as error:
        raise InputError(
            f"The package {error.name} is not installed. "
            "`pip install --group onnx --constraint requirements.txt` installs what the export needs."
        ) from error
    program = torch.onnx.export(
        model.network.eval(),
        tuple(model.inputs.values()),
        input_names=list(model.inputs),
        output_names=[model.output],
        dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in model.inputs),
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise TypeError("torch.onnx.export returns a program where it is given no file")
    file = program.model_proto
    for name, value in facts.items():
        file.metadata_props.add(key=name, value=value)
    content: bytes = file.SerializeToString()
    check_answers(content, model)
    return content


def check_answers(content: bytes, model: Exportable) -> None:
    """Compare ONNX Runtime's answers with PyTorch's, for the example and for one row of it.

    Raises:
        InputError: The runtime cannot load the file, or the answers differ.
    """
    import onnxruntime  # noqa: PLC0415 - an optional part

    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception for each of its codes, with Exception as their only base
        raise InputError(
            f"ONNX Runtime {onnxruntime.__version__} cannot run the model: {_reason(error)}. "
            "Install a newer onnxruntime."
        ) from error
    for inputs in (model.inputs, {name: example[:1] for name, example in model.inputs.items()}):
        with torch.inference_mode():
            expected = model.network(*inputs.values())
        (answer,) = session.run(None, {name: example.numpy() for name, example in inputs.items()})
        apart = float((torch.from_numpy(answer).double() - expected.double()).abs().max())
        if answer.shape != tuple(expected.shape) or apart > (TOLERANCE if expected.is_floating_point() else 1):
            raise InputError(
                f"ONNX Runtime {onnxruntime.__version__} answers otherwise than PyTorch {torch.__version__}: "
                f"the largest difference is {apart:.2g}. Install other versions of the two."
            )


def _reason(error: Exception) -> str:
    """Return what ONNX Runtime says, without its code."""
    return phrase(str(error).rpartition(" : ")[2])


def describe(model: Exportable) -> dict[str, Any]:
    """Return names, types and shapes of the inputs, for people and programs."""
    return {
        name: f"{str(example.dtype).removeprefix('torch.')} [{', '.join(['rows', *map(str, example.shape[1:])])}]"
        for name, example in model.inputs.items()
    }
