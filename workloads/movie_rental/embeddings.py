"""Vectors of texts: Amazon Bedrock's model, or one fitted on the library itself, which needs no download."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import numpy as np
from botocore.config import Config

from contract.errors import InputError, phrase
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from workloads.movie_rental.ports import Embedder

TITAN = "amazon.titan-embed-text-v2:0"
LOCAL_DIMENSION = 64
_NO_ACCESS = (
    "The account has no access to this model in this region, or the role may not invoke it. Ask for it in the Bedrock "
    "console; --embeddings local needs none."
)
_TITAN_DIMENSION = 256  # the smallest of 256, 512 and 1024
_LONGEST_TEXT = 50_000  # characters that Titan takes
_VOCABULARY = 20_000  # words, the commonest


class LatentSemanticModel:
    """Latent semantic analysis: TF-IDF weights of words, projected on the directions in which the library varies most.

    Source: Deerwester et al. (1990), Indexing by Latent Semantic Analysis. The same texts give the same model.

    Args:
        words: The vocabulary.
        weights: Inverse document frequency of each word.
        directions: One row for each number of a vector, one column for each word.
    """

    def __init__(self, words: Sequence[str], weights: NDArray[np.float32], directions: NDArray[np.float32]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.name, self.dimension = f"lsa-{len(directions)}", len(directions)
        self._words, self._weights, self._directions = words, weights, directions
        self._vectorizer = TfidfVectorizer(**_ANALYSIS, vocabulary=list(words), dtype=np.float32)
        self._vectorizer.idf_ = weights

    @classmethod
    def fit(cls, texts: Iterable[str], dimension: int = LOCAL_DIMENSION) -> LatentSemanticModel:
        """Fit the model on texts.

        Raises:
            InputError: There is no word in them.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(**_ANALYSIS, max_features=_VOCABULARY, dtype=np.float32)
        try:
            weighted = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise InputError(f"No model can be fitted on the library: {phrase(error)}.") from error
        directions = np.zeros((dimension, weighted.shape[1]), dtype=np.float32)
        components = min(dimension, *(size - 1 for size in weighted.shape))
        if components > 0:
            directions[:components] = TruncatedSVD(components, random_state=0).fit(weighted).components_
        return cls([*vectorizer.get_feature_names_out()], vectorizer.idf_.astype(np.float32), directions)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of length 1 for each text, or of zeros where the model knows none of its words."""
        vectors = np.asarray(self._vectorizer.transform(texts) @ self._directions.T, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-6)  # noqa: PLR2004
        return unit

    def saved(self) -> bytes:
        """Return the model as bytes, which run no code when they are read."""
        file = io.BytesIO()
        arrays = {"words": np.array(self._words), "weights": self._weights, "directions": self._directions}
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def load(cls, content: bytes) -> LatentSemanticModel:
        """Return the model that `saved` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(arrays["words"].tolist(), arrays["weights"], arrays["directions"])


_ANALYSIS: dict[str, Any] = {"sublinear_tf": True, "strip_accents": "unicode", "stop_words": "english"}


class TitanEmbedder:
    """Amazon Titan Text Embeddings V2 on Amazon Bedrock.

    Args:
        dimension: 256, 512 or 1024.
        workers: Requests at the same time: each takes one text.
    """

    def __init__(self, dimension: int = _TITAN_DIMENSION, workers: int = 8) -> None:
        self.name, self.dimension = f"{TITAN}/{dimension}", dimension
        self._workers = workers
        retries: Any = {"mode": "adaptive", "max_attempts": 8}
        config = Config(retries=retries, connect_timeout=5, read_timeout=60, max_pool_connections=workers)
        self._client: Any = boto3.client("bedrock-runtime", config=config)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of length 1 for each text."""
        with ThreadPoolExecutor(self._workers, thread_name_prefix="bedrock") as pool:
            return np.array([*pool.map(self._one, texts)], dtype=np.float32).reshape(len(texts), self.dimension)

    def _one(self, text: str) -> list[float]:
        if not text.strip():
            return [0.0] * self.dimension  # Titan takes no empty text
        request = {"inputText": text[:_LONGEST_TEXT], "dimensions": self.dimension, "normalize": True}
        with asking_aws(f"Model {TITAN}", service="Bedrock", reasons={"AccessDeniedException": _NO_ACCESS}):
            response = self._client.invoke_model(
                modelId=TITAN, body=json.dumps(request), contentType="application/json", accept="application/json"
            )
            content = response["body"].read()
        vector: list[float] = json.loads(content)["embedding"]
        return vector


def restored(name: str, content: bytes) -> Embedder:
    """Return the model that vectors came from, by its name and its saved content."""
    if name.startswith(TITAN):
        return TitanEmbedder(int(name.rpartition("/")[2]))
    return LatentSemanticModel.load(content)
