"""Which tokens get through the edge to the API: only the pool's own, as it signed them, for as long as they hold."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.edge.conftest import DeployedEdge, DeployEdge
from tests.edge.edge_template import build_edge_template

Claims = dict[str, Any]


def _packed(part: Claims | bytes) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _unpacked(part: str) -> Claims:
    found: Claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _signed(header: Claims, claims: Claims, key: rsa.RSAPrivateKey) -> str:
    content = f"{_packed(header)}.{_packed(claims)}"
    return f"{content}.{_packed(key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.fixture(scope="module")
def edged(put: DeployEdge, tmp_path_factory: pytest.TempPathFactory) -> DeployedEdge:
    return put("tokens", build_edge_template(tmp_path_factory.mktemp("switch") / "away"))


@pytest.fixture(scope="module")
def pool_key(edged: DeployedEdge) -> rsa.RSAPrivateKey:
    """The key that the pool signs access tokens with, which on AWS nobody has."""
    file = edged.emulator.state / "services" / "cognito-pool-keys" / f"{edged.outputs['UserPoolId']}-access.pem"
    edged.fetch_token("ada")
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _status(edged: DeployedEdge, token: str) -> int:
    return edged.get("/v1/airports", token).status_code


def test_a_token_that_holds_is_taken_and_so_is_one_signed_the_same_way(
    edged: DeployedEdge, pool_key: rsa.RSAPrivateKey
) -> None:
    """Or the others might be refused for how they were made."""
    token = edged.fetch_token("ada")
    header, claims, _ = token.split(".")
    assert _status(edged, token) == 200
    assert _status(edged, _signed(_unpacked(header), _unpacked(claims), pool_key)) == 200


def test_bad_tokens_are_401_each(
    edged: DeployedEdge, put: DeployEdge, pool_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    token = edged.fetch_token("ada")
    header, claims, signature = token.split(".")
    head, said = _unpacked(header), _unpacked(claims)
    other = put("other-pool", build_edge_template(tmp_path / "away"))
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    before = {**said, "iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
    bad = {
        "none": "",
        "no token at all": "garbage",
        "forged, with a key of its own": _signed(head, said, stranger),
        "forged, under another name": _signed({**head, "kid": "mine"}, said, stranger),
        "expired": _signed(head, before, pool_key),
        "not yet": _signed(head, {**said, "nbf": int(time.time()) + 3600}, pool_key),
        "of another pool": other.fetch_token("ada"),
        "of another issuer": _signed(head, {**said, "iss": f"{said['iss']}x"}, pool_key),
        "wrong use": _identity(edged),
        "wrong use, with the scope": _signed(head, {**said, "token_use": "id"}, pool_key),
        "without the scope": _signed(head, {**said, "scope": "sluice/nothing"}, pool_key),
        "alg none": f"{_packed({**head, 'alg': 'none'})}.{claims}.",
        "alg none, signature kept": f"{_packed({**head, 'alg': 'none'})}.{claims}.{signature}",
        "alg of a shared secret": f"{_packed({**head, 'alg': 'HS256'})}.{claims}.{signature}",
        "tampered": f"{header}.{_packed({**said, 'sub': 'eve'})}.{signature}",
        "cut": f"{header}.{claims}.{signature[:-8]}",
    }
    answers = {name: edged.get("/v1/airports", made) for name, made in bad.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(bad, 401)
    assert {answer.headers["Content-Type"] for answer in answers.values()} == {"application/problem+json"}


def _identity(edged: DeployedEdge) -> str:
    """The identity token of a person who has signed in."""
    cognito = edged.emulator.client("cognito-idp")
    who = {"UserPoolId": edged.outputs["UserPoolId"], "Username": "ida"}
    edged.fetch_token("ida")
    cognito.admin_set_user_password(**who, Password="Correct-horse-9", Permanent=True)
    signed_in = cognito.initiate_auth(
        ClientId=edged.outputs["PersonClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ida", "PASSWORD": "Correct-horse-9"},
    )
    return str(signed_in["AuthenticationResult"]["IdToken"])
