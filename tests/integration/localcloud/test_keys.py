"""KMS: what each kind of key does, in which state, and what it refuses."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from localcloud import LocalCloud

MESSAGE = b"attack at dawn"
PSS, OAEP = "RSASSA_PSS_SHA_256", "RSAES_OAEP_SHA_256"


@pytest.fixture(scope="module")
def kms(cloud: LocalCloud) -> Any:
    return cloud.client("kms")


def new(kms: Any, **settings: Any) -> str:
    return str(kms.create_key(**settings)["KeyMetadata"]["Arn"])


def refusal(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"].get("Message", "")


def test_a_disabled_key_is_not_used_until_it_is_enabled(kms: Any) -> None:
    key = new(kms)
    encrypted = kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    disabled = ("DisabledException", f"{key} is disabled.")
    assert refusal(kms.encrypt, KeyId=key, Plaintext=MESSAGE) == disabled
    assert refusal(kms.decrypt, CiphertextBlob=encrypted) == disabled
    assert refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == disabled
    assert refusal(kms.enable_key_rotation, KeyId=key) == disabled
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=encrypted)["Plaintext"] == MESSAGE


def test_a_key_that_waits_for_its_deletion_takes_nothing_but_its_rescue(kms: Any) -> None:
    key = new(kms)
    assert refusal(kms.cancel_key_deletion, KeyId=key)[0] == "KMSInvalidStateException"
    assert kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["KeyId"] == key
    pending = ("KMSInvalidStateException", f"{key} is pending deletion.")
    for operation in (kms.schedule_key_deletion, kms.enable_key, kms.disable_key):
        assert refusal(operation, KeyId=key) == pending
    assert refusal(kms.encrypt, KeyId=key, Plaintext=MESSAGE) == pending
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_key_does_only_what_it_is_for(kms: Any) -> None:
    ours, signs = new(kms), new(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    wrong = refusal(kms.sign, KeyId=ours, Message=MESSAGE, SigningAlgorithm=PSS)
    assert wrong == ("InvalidKeyUsageException", f"{ours} key usage is ENCRYPT_DECRYPT which is not valid for Sign.")
    assert refusal(kms.encrypt, KeyId=signs, Plaintext=MESSAGE)[0] == "InvalidKeyUsageException"
    other = refusal(kms.sign, KeyId=signs, Message=MESSAGE, SigningAlgorithm=PSS)
    assert other == ("InvalidKeyUsageException", f"Algorithm {PSS} is incompatible with key spec ECC_NIST_P256.")
    unfit = refusal(kms.create_key, KeySpec="RSA_2048", KeyUsage="KEY_AGREEMENT")
    assert unfit == ("ValidationException", "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048")


def test_a_ciphertext_is_not_decrypted_with_another_key_or_context(kms: Any) -> None:
    key, other = new(kms), new(kms)
    answer = kms.encrypt(KeyId=key, Plaintext=MESSAGE, EncryptionContext={"for": "us"})
    assert (answer["KeyId"], answer["EncryptionAlgorithm"]) == (key, "SYMMETRIC_DEFAULT")
    blob = {"CiphertextBlob": answer["CiphertextBlob"]}
    assert refusal(kms.decrypt, **blob)[0] == "InvalidCiphertextException"
    found = refusal(kms.decrypt, **blob, KeyId=other, EncryptionContext={"for": "us"})
    assert found[0] == "IncorrectKeyException"
    again = kms.re_encrypt(**blob, SourceEncryptionContext={"for": "us"}, DestinationKeyId=other)
    assert (again["SourceKeyId"], again["KeyId"]) == (key, other)
    assert kms.decrypt(CiphertextBlob=again["CiphertextBlob"], KeyId=other)["Plaintext"] == MESSAGE


def test_what_anybody_encrypts_with_a_public_key_the_private_one_decrypts(kms: Any) -> None:
    key = new(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    described = kms.get_public_key(KeyId=key)
    assert (described["KeyId"], described["KeySpec"], "SigningAlgorithms" in described) == (key, "RSA_2048", False)
    public: Any = serialization.load_der_public_key(described["PublicKey"])
    digest = hashes.SHA256()
    encrypted = public.encrypt(MESSAGE, padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None))
    named = {"KeyId": key, "EncryptionAlgorithm": OAEP}
    assert kms.decrypt(CiphertextBlob=encrypted, **named)["Plaintext"] == MESSAGE
    assert refusal(kms.decrypt, CiphertextBlob=encrypted[::-1], **named)[0] == "InvalidCiphertextException"
    code, message = refusal(kms.encrypt, Plaintext=b"x" * 191, **named)
    assert (code, message.endswith("cannot encrypt data larger than 190 bytes.")) == ("ValidationException", True)
    assert refusal(kms.get_public_key, KeyId=new(kms))[0] == "UnsupportedOperationException"


def test_a_signature_holds_for_its_message_and_for_the_digest_of_that_alone(kms: Any) -> None:
    key = new(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    named = {"KeyId": key, "SigningAlgorithm": PSS}
    signature = kms.sign(Message=MESSAGE, **named)["Signature"]
    digest = hashes.Hash(hashes.SHA256())
    digest.update(MESSAGE)
    hashed = {"Message": digest.finalize(), "MessageType": "DIGEST"}
    assert kms.verify(Message=MESSAGE, Signature=signature, **named)["SignatureValid"]
    assert kms.verify(Signature=signature, **hashed, **named)["SignatureValid"]
    other = refusal(kms.verify, Message=MESSAGE + b"!", Signature=signature, **named)
    assert other[0] == "KMSInvalidSignatureException"
    short = refusal(kms.sign, Message=MESSAGE, MessageType="DIGEST", **named)
    assert short == ("ValidationException", f"Digest is invalid length for algorithm {PSS}.")


def test_an_authentication_code_needs_the_algorithm_of_its_key(kms: Any) -> None:
    key = new(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["MacAlgorithms"] == ["HMAC_SHA_256"]
    code = kms.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")["Mac"]
    named = {"KeyId": key, "Mac": code}
    assert kms.verify_mac(Message=MESSAGE, MacAlgorithm="HMAC_SHA_256", **named)["MacValid"]
    assert refusal(kms.verify_mac, Message=b"!", MacAlgorithm="HMAC_SHA_256", **named)[0] == "KMSInvalidMacException"
    other = refusal(kms.generate_mac, KeyId=key, Message=MESSAGE, MacAlgorithm="HMAC_SHA_512")
    assert other == ("InvalidKeyUsageException", "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.")


def test_a_pair_of_data_keys_has_a_private_one_that_only_the_key_decrypts(kms: Any) -> None:
    key = new(kms)
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    private = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert private == pair["PrivateKeyPlaintext"]
    public = serialization.load_der_private_key(private, None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    assert public.public_bytes(serialization.Encoding.DER, form) == pair["PublicKey"]
    hidden = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    assert "PrivateKeyPlaintext" not in hidden


def test_random_bytes_need_a_number(kms: Any) -> None:
    assert len(kms.generate_random(NumberOfBytes=7)["Plaintext"]) == 7
    assert refusal(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")


def test_a_key_of_several_regions_is_found_by_its_id(kms: Any) -> None:
    metadata = kms.create_key(MultiRegion=True)["KeyMetadata"]
    assert (len(metadata["KeyId"]), metadata["KeyId"][:4]) == (36, "mrk-")
    assert kms.describe_key(KeyId=metadata["KeyId"])["KeyMetadata"]["Arn"] == metadata["Arn"]


def test_aws_manages_the_keys_that_it_makes_for_its_services(kms: Any) -> None:
    managers = [kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] for key in ("alias/aws/s3", new(kms))]
    assert managers == ["AWS", "CUSTOMER"]


def test_a_dry_run_changes_nothing(kms: Any) -> None:
    key = new(kms)
    role = {"GranteePrincipal": "arn:aws:iam::123456789012:root", "Operations": ["Decrypt"]}
    assert refusal(kms.create_grant, KeyId=key, DryRun=True, **role)[0] == "DryRunOperationException"
    assert kms.list_grants(KeyId=key)["Grants"] == []
    assert refusal(kms.encrypt, KeyId=key, Plaintext=MESSAGE, DryRun=True)[0] == "DryRunOperationException"


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"aws:mine": "1"}, "TagException"),
        ({f"key{number}": "" for number in range(51)}, "TagException"),
        ({"k" * 129: ""}, "ValidationException"),
        ({"key": "v" * 257}, "ValidationException"),
    ],
)
def test_tags_that_a_key_cannot_have_are_refused(kms: Any, tags: dict[str, str], code: str) -> None:
    given = [{"TagKey": name, "TagValue": value} for name, value in tags.items()]
    assert refusal(kms.create_key, Tags=given)[0] == code
    assert refusal(kms.tag_resource, KeyId=new(kms), Tags=given)[0] == code


def test_a_rotation_gives_a_key_another_material_and_keeps_what_it_encrypted(kms: Any) -> None:
    key = new(kms)
    encrypted = kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
    before = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] != before
    assert kms.decrypt(CiphertextBlob=encrypted)["Plaintext"] == MESSAGE
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    created = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"]
    assert (status["RotationPeriodInDays"], (status["NextRotationDate"] - created).days) == (90, 90)
    signs = new(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    assert refusal(kms.enable_key_rotation, KeyId=signs)[0] == "UnsupportedOperationException"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("not-a-key", "Invalid keyId 'not-a-key'"),
        (
            "00000000-0000-0000-0000-000000000000",
            "Key 'arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000' does not exist",
        ),
    ],
)
def test_a_key_that_is_not_there_is_named(kms: Any, name: str, words: str) -> None:
    for operation in (kms.describe_key, kms.disable_key, kms.list_grants):
        assert refusal(operation, KeyId=name) == ("NotFoundException", words)


@pytest.mark.parametrize("state", ["disabled", "deleted"])
def test_a_stack_goes_whose_key_somebody_has_switched_off(cloud: LocalCloud, kms: Any, state: str) -> None:
    cloudformation, name = cloud.client("cloudformation"), f"keys-{uuid.uuid4().hex[:8]}"
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    statement = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    properties = {
        "KeyPolicy": {"Version": "2012-10-17", "Statement": [statement]},
        "EnableKeyRotation": True,
        "RotationPeriodInDays": 180,
    }
    body = {"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": properties}}}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body))
    key = cloudformation.describe_stack_resources(StackName=name)["StackResources"][0]["PhysicalResourceId"]
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 180
    del properties["EnableKeyRotation"], properties["RotationPeriodInDays"]
    cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(body))
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.disable_key(KeyId=key)
    if state == "deleted":
        kms.schedule_key_deletion(KeyId=key)
    cloudformation.delete_stack(StackName=name)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert "does not exist" in refusal(cloudformation.describe_stacks, StackName=name)[1]
