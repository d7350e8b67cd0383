"""scikit-learn pipelines in a run folder.

A joblib file is a pickle: reading one can run code, so a run folder is to be trusted like a program.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import joblib  # type: ignore[import-untyped]
from sklearn.exceptions import InconsistentVersionWarning

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from workloads.storage import Location

PIPELINE = "pipeline.joblib"


def dump(pipeline: object) -> bytes:
    """Return the content of the file."""
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer, compress=3)
    return buffer.getvalue()


def load_pipeline(run: Location) -> Any:
    """Return what `dump` wrote to a run folder.

    Raises:
        InputError: It is not there, damaged, or of another version of scikit-learn or of this code.
    """
    content = (run / PIPELINE).read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return joblib.load(io.BytesIO(content))
    except InconsistentVersionWarning as error:
        raise InputError(
            f"{run / PIPELINE}: The pipeline was written with scikit-learn {error.original_sklearn_version}, and this "
            f"is {error.current_sklearn_version}. Train again, or install that version."
        ) from error
    except Exception as error:  # a damaged pickle raises anything
        raise InputError(f"{run / PIPELINE}: The pipeline cannot be read. Train again. {phrase(error)}.") from error
