"""Which tokens the API accepts through the edge: only valid tokens of the user pool, as the pool signed them."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from testkit.edge_template import build_edge_template
from tests.edge.conftest import DeployedEdge, DeployEdge

Claims = dict[str, Any]


def _encode(part: Claims | bytes) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(part: str) -> Claims:
    claims: Claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _sign(header: Claims, claims: Claims, key: rsa.RSAPrivateKey) -> str:
    content = f"{_encode(header)}.{_encode(claims)}"
    return f"{content}.{_encode(key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.fixture(scope="module")
def edge(deploy_edge: DeployEdge, tmp_path_factory: pytest.TempPathFactory) -> DeployedEdge:
    return deploy_edge("tokens", build_edge_template(tmp_path_factory.mktemp("switch") / "outage"))


@pytest.fixture(scope="module")
def pool_key(edge: DeployedEdge) -> rsa.RSAPrivateKey:
    """The key with which the pool signs access tokens. On AWS nobody has it."""
    file = edge.emulator.state / "services" / "cognito-pool-keys" / f"{edge.outputs['UserPoolId']}-access.pem"
    edge.fetch_token("ada")
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _fetch_status(edge: DeployedEdge, token: str) -> int:
    return edge.get("/v1/airports", token).status_code


def test_a_valid_token_is_accepted_and_so_is_one_signed_by_the_test(
    edge: DeployedEdge, pool_key: rsa.RSAPrivateKey
) -> None:
    """Otherwise the bad tokens could be rejected because of how the test builds them."""
    token = edge.fetch_token("ada")
    header, claims, _ = token.split(".")
    assert _fetch_status(edge, token) == 200
    assert _fetch_status(edge, _sign(_decode(header), _decode(claims), pool_key)) == 200


def test_every_bad_token_is_401(
    edge: DeployedEdge, deploy_edge: DeployEdge, pool_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    token = edge.fetch_token("ada")
    header, claims, signature = token.split(".")
    header_fields, claim_fields = _decode(header), _decode(claims)
    other = deploy_edge("other-pool", build_edge_template(tmp_path / "outage"))
    other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    expired = {**claim_fields, "iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
    bad = {
        "none": "",
        "not a token": "garbage",
        "another key": _sign(header_fields, claim_fields, other_key),
        "another key and key id": _sign({**header_fields, "kid": "mine"}, claim_fields, other_key),
        "expired": _sign(header_fields, expired, pool_key),
        "not yet": _sign(header_fields, {**claim_fields, "nbf": int(time.time()) + 3600}, pool_key),
        "of another pool": other.fetch_token("ada"),
        "of another issuer": _sign(header_fields, {**claim_fields, "iss": f"{claim_fields['iss']}x"}, pool_key),
        "id token": _fetch_id_token(edge),
        "id token, with the scope": _sign(header_fields, {**claim_fields, "token_use": "id"}, pool_key),
        "without the scope": _sign(header_fields, {**claim_fields, "scope": "sluice/nothing"}, pool_key),
        "alg none": f"{_encode({**header_fields, 'alg': 'none'})}.{claims}.",
        "alg none, with signature": f"{_encode({**header_fields, 'alg': 'none'})}.{claims}.{signature}",
        "alg HS256": f"{_encode({**header_fields, 'alg': 'HS256'})}.{claims}.{signature}",
        "tampered": f"{header}.{_encode({**claim_fields, 'sub': 'eve'})}.{signature}",
        "truncated": f"{header}.{claims}.{signature[:-8]}",
    }
    responses = {name: edge.get("/v1/airports", bad_token) for name, bad_token in bad.items()}
    assert {name: response.status_code for name, response in responses.items()} == dict.fromkeys(bad, 401)
    assert {response.headers["Content-Type"] for response in responses.values()} == {"application/problem+json"}


def _fetch_id_token(edge: DeployedEdge) -> str:
    """The ID token of a person who has signed in."""
    cognito = edge.emulator.client("cognito-idp")
    person = {"UserPoolId": edge.outputs["UserPoolId"], "Username": "ida"}
    edge.fetch_token("ida")
    cognito.admin_set_user_password(**person, Password="Correct-horse-9", Permanent=True)
    response = cognito.initiate_auth(
        ClientId=edge.outputs["PersonClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ida", "PASSWORD": "Correct-horse-9"},
    )
    return str(response["AuthenticationResult"]["IdToken"])
