"""Signatures of AWS's own documentation, and what is made of them when something is changed."""

from __future__ import annotations

from datetime import timedelta
from email.message import Message

import pytest

from localcloud.access import signatures
from localcloud.access.signatures import SignatureError, SignedRequest, read

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - of the documentation
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
CONTENT = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"


def request(method: str, target: str, signed: str, signature: str, headers: dict[str, str]) -> SignedRequest:
    message = Message()
    names = {"Host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z"} | headers
    for name, value in names.items():
        message[name] = value
    scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
    message["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={signed},Signature={signature}"
    return SignedRequest(method, target, message, b"")


#: "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", API reference of S3.
EXAMPLES = [
    request(
        "GET",
        "/test.txt",
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        {"Range": "bytes=0-9", "x-amz-content-sha256": EMPTY},
    ),
    request(
        "PUT",
        "/test%24file.text",
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        {
            "Date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-content-sha256": CONTENT,
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
    ),
    request(
        "GET",
        "/?lifecycle",
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        {"x-amz-content-sha256": EMPTY},
    ),
    request(
        "GET",
        "/?max-keys=2&prefix=J",
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        {"x-amz-content-sha256": EMPTY},
    ),
]


@pytest.fixture
def any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was signed long ago is valid still."""
    monkeypatch.setattr(signatures, "SKEW", timedelta.max)


@pytest.mark.usefixtures("any_time")
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documentations_signatures_are_computed(example: SignedRequest) -> None:
    signature = read(example)
    assert signature
    assert (signature.access_key_id, signature.service, signature.in_header) == ("AKIAIOSFODNN7EXAMPLE", "s3", True)
    assert signature.made_with(SECRET)
    assert not signature.made_with(SECRET[:-1])


@pytest.mark.usefixtures("any_time")
@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_changed_is_not_what_was_signed(example: SignedRequest) -> None:
    moved = SignedRequest(example.method, "/other", example.headers, b"")
    by_another_method = SignedRequest("DELETE", example.target, example.headers, b"")
    for changed in (moved, by_another_method):
        signature = read(changed)
        assert signature
        assert not signature.made_with(SECRET)


def test_a_signature_is_valid_for_a_quarter_of_an_hour() -> None:
    with pytest.raises(SignatureError, match="too large"):
        read(EXAMPLES[0])


@pytest.mark.usefixtures("any_time")
@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        ("AWS4-HMAC-SHA256 Credential=x", "needs Credential, SignedHeaders and Signature"),
        ("AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0", "no valid scope"),
        ("AWS4-HMAC-SHA256 Credential=x/20200101/a/s3/aws4_request, SignedHeaders=host, Signature=0", "no valid scope"),
        ("AWS4-HMAC-SHA256 Credential=x/20130524/a/s3/aws4_request, SignedHeaders=date, Signature=0", "Host must be"),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", "is not supported"),
        ("Bearer abc", "is not supported"),
        ("Basic abc", "is not supported"),
    ],
)
def test_what_is_no_signature_is_refused(authorization: str, error: str) -> None:
    message = Message()
    message["Host"], message["X-Amz-Date"], message["Authorization"] = "localhost", "20130524T000000Z", authorization
    with pytest.raises(SignatureError, match=error):
        read(SignedRequest("POST", "/", message, b""))
