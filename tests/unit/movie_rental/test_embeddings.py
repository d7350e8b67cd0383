"""Vectors: of the local model, and of Bedrock through its HTTP API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from contract.errors import InputError
from workloads.movie_rental.embeddings import TITAN, LatentSemanticModel, TitanEmbedder, restored

TEXTS = [
    "A pilot lands a plane in the desert",
    "A pilot flies a plane over the sea",
    "A cook bakes bread in a bakery",
    "A cook and a baker bake cake and bread",
    "A shark hunts divers in the sea",
]


class TestLatentSemanticModel:
    def test_texts_about_the_same_are_nearer_than_others(self) -> None:
        model = LatentSemanticModel.fit(TEXTS, dimension=3)
        vectors = model.embed(TEXTS)
        assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]
        [query] = model.embed(["bread and cake"])
        assert {int(place) for place in np.argsort(-(vectors @ query))[:2]} == {2, 3}

    def test_vectors_have_length_one_or_nothing(self) -> None:
        vectors = LatentSemanticModel.fit(TEXTS, dimension=8).embed([*TEXTS, "xylophone", ""])
        assert vectors.shape == (7, 8)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 1, 1, 0, 0], abs=1e-6)

    def test_the_same_texts_give_the_same_model_and_it_survives_being_saved(self) -> None:
        one, other = (LatentSemanticModel.fit(TEXTS, dimension=4) for _ in range(2))
        assert (one.embed(TEXTS) == other.embed(TEXTS)).all()
        again = restored(one.name, one.saved())
        assert (again.name, again.dimension) == ("lsa-4", 4)
        assert (again.embed(TEXTS) == one.embed(TEXTS)).all()

    def test_one_film_is_enough_and_none_is_said(self) -> None:
        assert LatentSemanticModel.fit(["one film"]).embed(["one"]).shape == (1, 64)
        with pytest.raises(InputError, match="No model can be fitted on the library"):
            LatentSemanticModel.fit([])


class Bedrock(BaseHTTPRequestHandler):
    """Answers InvokeModel in the shape of Titan Text Embeddings V2 (Amazon Bedrock's user guide)."""

    asked: list[tuple[str, dict[str, Any]]]
    throttled: int

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer, headers = 200, self.embedding(body), {"X-Amzn-Bedrock-Input-Token-Count": "5"}
        if body["inputText"] == "forbidden":
            status, answer = 403, {"message": "You don't have access to the model with the specified model ID."}
            headers = {"x-amzn-ErrorType": "AccessDeniedException"}
        elif type(self).throttled:
            type(self).throttled -= 1
            status, answer = 429, {"message": "Too many requests, please wait before trying again."}
            headers = {"x-amzn-ErrorType": "ThrottlingException"}
        else:
            self.asked.append((unquote(self.path), body))
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def embedding(self, body: dict[str, Any]) -> dict[str, Any]:
        vector = [0.0] * body["dimensions"]
        vector[len(body["inputText"]) % body["dimensions"]] = 1.0
        return {"embedding": vector, "inputTextTokenCount": 5, "embeddingsByType": {"float": vector}}

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Bedrock]]:
    class Fresh(Bedrock):
        asked: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012 - of this test
        throttled = 0

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://localhost:{server.server_port}")
    yield Fresh
    server.shutdown()
    server.server_close()


class TestTitan:
    def test_each_text_is_one_request_and_the_vectors_keep_the_order(self, bedrock: type[Bedrock]) -> None:
        vectors = TitanEmbedder(256).embed(["a", "bb", "", "dddd"])
        assert np.argmax(vectors, axis=1).tolist() == [1, 2, 0, 4]
        assert vectors[2].any() == np.False_  # Titan takes no empty text
        assert vectors.dtype == np.float32
        assert {path for path, _ in bedrock.asked} == {f"/model/{TITAN}/invoke"}
        assert {"inputText": "bb", "dimensions": 256, "normalize": True} in [body for _, body in bedrock.asked]

    def test_throttling_is_waited_out(self, bedrock: type[Bedrock]) -> None:
        bedrock.throttled = 1
        assert TitanEmbedder(256, workers=1).embed(["a"]).any()

    @pytest.mark.usefixtures("bedrock")
    def test_who_has_no_access_is_told_what_to_do(self) -> None:
        with pytest.raises(InputError, match="--embeddings local needs none"):
            TitanEmbedder(256).embed(["forbidden"])

    @pytest.mark.usefixtures("bedrock")
    def test_it_is_found_again_by_its_name(self) -> None:
        made = restored(TitanEmbedder(512).name, b"")
        assert (made.name, made.dimension) == (f"{TITAN}/512", 512)
