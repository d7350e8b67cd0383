"""KMS: encryption, signatures and authentication codes, by every kind of key.

moto gaps: it encrypts with the same cipher whatever the key, signs a digest as if it were the message, says of a wrong
signature that it is valid or not instead of refusing it, and has no pairs of data keys.

Source: https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from moto.kms.exceptions import ValidationException
from moto.kms.models import Key
from moto.kms.responses import KmsResponse
from moto.kms.utils import KeySpec, generate_private_key

from localcloud.hooks import add, replace, wrap
from localcloud.services.kms.keys import check_dry_run, check_state, error, find, material, rename

SYMMETRIC = "SYMMETRIC_DEFAULT"
DIGESTS: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "SHA_1": hashes.SHA1,
    "SHA_224": hashes.SHA224,
    "SHA_256": hashes.SHA256,
    "SHA_384": hashes.SHA384,
    "SHA_512": hashes.SHA512,
}
MACS = ["HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"]
LONGEST_MESSAGE = 4096


def _digest(algorithm: str) -> hashes.HashAlgorithm:
    """Return the digest that the name of an algorithm ends with, such as ``ECDSA_SHA_256``."""
    return DIGESTS["_".join(algorithm.split("_")[-2:])]()


def _check(key: Key, usage: str, operation: str) -> None:
    """Refuse a key that is not enabled or is for something else.

    Raises:
        JsonRESTError: Has KMS's code and words.
    """
    check_state(key)
    if key.key_usage != usage:
        words = f"{key.arn} key usage is {key.key_usage} which is not valid for {operation}."
        raise error("InvalidKeyUsageException", words)


def _check_algorithm(key: Key, algorithm: str, offered: list[str] | None) -> None:
    if algorithm not in (offered or []):
        words = f"Algorithm {algorithm} is incompatible with key spec {key.key_spec}."
        raise error("InvalidKeyUsageException", words)


def _oaep(algorithm: str) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(_digest(algorithm)), algorithm=_digest(algorithm), label=None)


def _private(key: Key) -> Any:
    """Return the key of `cryptography` that an asymmetric key of moto's holds."""
    return vars(key.private_key)["private_key"]


# Encryption


@wrap(KmsResponse, "encrypt")
def _encrypt(original: Any, self: KmsResponse) -> str:
    key, algorithm = find(self), self._get_param("EncryptionAlgorithm") or SYMMETRIC
    _check(key, "ENCRYPT_DECRYPT", "Encrypt")
    _check_algorithm(key, algorithm, key.encryption_algorithms)
    plaintext: bytes = self._get_param("Plaintext") or b""
    if algorithm != SYMMETRIC:
        answer = {"CiphertextBlob": _text(_encrypted(key, algorithm, plaintext)), "KeyId": key.arn}
    else:
        answer = json.loads(original(self))
    check_dry_run(self)
    return json.dumps(answer | {"EncryptionAlgorithm": algorithm})


def _encrypted(key: Key, algorithm: str, plaintext: bytes) -> bytes:
    private = _private(key)
    most = private.key_size // 8 - 2 * _digest(algorithm).digest_size - 2
    if len(plaintext) > most:
        words = f"Algorithm {algorithm} and key spec {key.key_spec} cannot encrypt data larger than {most} bytes."
        raise ValidationException(words)
    encrypted: bytes = private.public_key().encrypt(plaintext, _oaep(algorithm))
    return encrypted


@wrap(KmsResponse, "decrypt")
def _decrypt(original: Any, self: KmsResponse) -> str:
    algorithm = self._get_param("EncryptionAlgorithm") or SYMMETRIC
    key = find(self) if self._get_param("KeyId") else None
    if algorithm != SYMMETRIC:
        answer = _decrypted(key, algorithm, self._get_param("CiphertextBlob"), "Decrypt")
    else:
        rename(self, None)  # moto refuses another key with another error
        answer = json.loads(original(self))
        answer |= _check_source(self, answer["KeyId"], key, "Decrypt")
    check_dry_run(self)
    return json.dumps(answer | {"EncryptionAlgorithm": algorithm})


def _check_source(response: KmsResponse, arn: str, named: Key | None, operation: str) -> dict[str, str]:
    """Refuse a ciphertext of another key than the one that a request names; return the id of the key's material.

    Raises:
        JsonRESTError: It is of another key, or the key must not be used.
    """
    used = response.kms_backend.keys[arn.rpartition("/")[2]]
    if named and named is not used:
        words = "The key ID in the request does not identify a CMK that can perform this operation."
        raise error("IncorrectKeyException", words)
    _check(used, "ENCRYPT_DECRYPT", operation)
    return material(used)


def _decrypted(key: Key | None, algorithm: str, ciphertext: bytes, operation: str) -> dict[str, Any]:
    if key is None:
        raise error("InvalidCiphertextException")
    _check(key, "ENCRYPT_DECRYPT", operation)
    _check_algorithm(key, algorithm, key.encryption_algorithms)
    try:
        plaintext = _private(key).decrypt(ciphertext, _oaep(algorithm))
    except ValueError:
        raise error("InvalidCiphertextException") from None
    return {"KeyId": key.arn, "Plaintext": _text(plaintext)}


@replace(KmsResponse, "re_encrypt")
def _re_encrypt(self: KmsResponse) -> str:
    """Decrypt with one key and encrypt with another, each in its own way."""
    backend = self.kms_backend
    key = find(self, "SourceKeyId") if self._get_param("SourceKeyId") else None
    algorithm = self._get_param("SourceEncryptionAlgorithm") or SYMMETRIC
    destination = find(self, "DestinationKeyId")
    wanted = self._get_param("DestinationEncryptionAlgorithm") or SYMMETRIC
    ciphertext = self._get_param("CiphertextBlob")
    if algorithm == SYMMETRIC:
        plaintext, source = backend.decrypt(ciphertext, self._get_param("SourceEncryptionContext") or {})
        _check_source(self, source, key, "ReEncryptFrom")
    else:
        decrypted = _decrypted(key, algorithm, ciphertext, "ReEncryptFrom")
        plaintext, source = base64.b64decode(decrypted["Plaintext"]), decrypted["KeyId"]
    _check(destination, "ENCRYPT_DECRYPT", "ReEncryptTo")
    _check_algorithm(destination, wanted, destination.encryption_algorithms)
    if wanted == SYMMETRIC:
        context = self._get_param("DestinationEncryptionContext") or {}
        encrypted, _ = backend.encrypt(destination.id, plaintext, context)
    else:
        encrypted = _encrypted(destination, wanted, plaintext)
    check_dry_run(self)
    names = {"SourceEncryptionAlgorithm": algorithm, "DestinationEncryptionAlgorithm": wanted}
    return json.dumps({"CiphertextBlob": _text(encrypted), "KeyId": destination.arn, "SourceKeyId": source, **names})


# Data keys


@wrap(KmsResponse, "generate_data_key")
def _generate_data_key(original: Any, self: KmsResponse) -> str:
    key, operation = find(self), self._get_action()
    _check(key, "ENCRYPT_DECRYPT", operation)
    _check_algorithm(key, SYMMETRIC, key.encryption_algorithms)
    answer = json.loads(original(self))
    check_dry_run(self)
    return json.dumps(answer | material(key))


@add(KmsResponse, "generate_data_key_pair", "generate_data_key_pair_without_plaintext")
def _generate_data_key_pair(self: KmsResponse) -> str:
    """Make a pair of keys, whose private one the key encrypts."""
    key, operation = find(self), self._get_action()
    _check(key, "ENCRYPT_DECRYPT", operation)
    _check_algorithm(key, SYMMETRIC, key.encryption_algorithms)
    kind = self._get_param("KeyPairSpec")
    kinds = [*KeySpec.rsa_key_specs(), *KeySpec.ecc_key_specs()]
    if kind not in kinds:
        raise _not_one_of(kind, "keyPairSpec", kinds)
    check_dry_run(self)
    pair: Any = generate_private_key(kind)
    private = vars(pair)["private_key"].private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    encrypted, _ = self.kms_backend.encrypt(key.id, private, self._get_param("EncryptionContext") or {})
    answer = {
        "PrivateKeyCiphertextBlob": _text(encrypted),
        "PublicKey": _text(pair.public_key()),
        "KeyId": key.arn,
        "KeyPairSpec": kind,
        **material(key),
    }
    shown = {} if operation.endswith("WithoutPlaintext") else {"PrivateKeyPlaintext": _text(private)}
    return json.dumps(answer | shown)


@wrap(KmsResponse, "generate_random")
def _generate_random(original: Any, self: KmsResponse) -> str:
    number = self._get_param("NumberOfBytes")
    if number is None:
        raise ValidationException("NumberOfBytes is required.")
    if number < 1:
        start = f"1 validation error detected: Value '{number}' at 'numberOfBytes' failed to satisfy constraint: "
        raise ValidationException(f"{start}Member must have value greater than or equal to 1")
    return str(original(self))


# Signatures


@replace(KmsResponse, "sign")
def _sign(self: KmsResponse) -> str:
    """Sign a message, or the digest of one."""
    key, algorithm, message, digest = _to_sign(self, "Sign")
    private = _private(key)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        signature = private.sign(message, ec.ECDSA(digest))
    else:
        signature = private.sign(message, _padding(algorithm), digest)
    check_dry_run(self)
    return json.dumps({"KeyId": key.arn, "Signature": _text(signature), "SigningAlgorithm": algorithm})


@replace(KmsResponse, "verify")
def _verify(self: KmsResponse) -> str:
    """Refuse a signature that is not the message's."""
    key, algorithm, message, digest = _to_sign(self, "Verify")
    public, signature = _private(key).public_key(), base64.b64decode(self._get_param("Signature"))
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, message, ec.ECDSA(digest))
        else:
            public.verify(signature, message, _padding(algorithm), digest)
    except InvalidSignature:
        raise error("KMSInvalidSignatureException") from None
    check_dry_run(self)
    return json.dumps({"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm})


def _to_sign(response: KmsResponse, operation: str) -> tuple[Key, str, bytes, Any]:
    """Return the key, the algorithm, the message or its digest, and how the message becomes a digest."""
    key, algorithm = find(response), response._get_param("SigningAlgorithm")  # noqa: SLF001
    _check(key, "SIGN_VERIFY", operation)
    _check_algorithm(key, algorithm, key.signing_algorithms)
    message: bytes = response._get_param("Message") or b""  # noqa: SLF001
    if not 1 <= len(message) <= LONGEST_MESSAGE:
        side = f"less than or equal to {LONGEST_MESSAGE}" if message else "greater than or equal to 1"
        start = "1 validation error detected: Value at 'message' failed to satisfy constraint: "
        raise ValidationException(f"{start}Member must have length {side}")
    digest = _digest(algorithm)
    if response._get_param("MessageType") == "DIGEST":  # noqa: SLF001
        if len(message) != digest.digest_size:
            raise ValidationException(f"Digest is invalid length for algorithm {algorithm}.")
        return key, algorithm, message, utils.Prehashed(digest)
    return key, algorithm, message, digest


def _padding(algorithm: str) -> padding.AsymmetricPadding:
    if "PSS" not in algorithm:
        return padding.PKCS1v15()
    digest = _digest(algorithm)
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


@wrap(KmsResponse, "get_public_key")
def _get_public_key(original: Any, self: KmsResponse) -> str:
    key = find(self)
    check_state(key)
    if key.key_spec == SYMMETRIC or key.key_spec.startswith("HMAC"):
        raise error("UnsupportedOperationException")
    answer = json.loads(original(self)) | {"KeyId": key.arn, "KeySpec": key.key_spec}
    return json.dumps({member: value for member, value in answer.items() if value})


# Authentication codes


@wrap(KmsResponse, "generate_mac", "verify_mac")
def _mac(original: Any, self: KmsResponse) -> str:
    key, algorithm = find(self), self._get_param("MacAlgorithm")
    if algorithm not in MACS:
        raise _not_one_of(algorithm, "macAlgorithm", MACS)
    _check(key, "GENERATE_VERIFY_MAC", self._get_action())
    _check_algorithm(key, algorithm, [key.key_spec.replace("HMAC", "HMAC_SHA")])
    answer = json.loads(original(self))
    check_dry_run(self)
    return json.dumps(answer | {"KeyId": key.arn})


def _not_one_of(value: str, member: str, allowed: list[str]) -> ValidationException:
    start = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
    return ValidationException(f"{start}Member must satisfy enum value set: [{', '.join(allowed)}]")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
