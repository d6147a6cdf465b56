"""Access tokens of the local user pool, for a machine and for persons."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress

import httpx

from local.process import LocalError
from local.stack.emulator import Emulator


def machine_token(emulator: Emulator, outputs: Mapping[str, str]) -> str:
    """Client credentials at the token endpoint. Raises LocalError when it refuses."""
    pool, client = outputs["UserPoolId"], outputs["MachineClientId"]
    described = emulator.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)
    answer = httpx.post(
        f"{emulator.url}/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(client, described["UserPoolClient"]["ClientSecret"]),
        trust_env=False,
    )
    if answer.status_code != 200:
        raise LocalError(f"The token endpoint answered {answer.status_code}: {answer.text}")
    return str(answer.json()["access_token"])


def person_token(emulator: Emulator, outputs: Mapping[str, str], username: str, groups: Sequence[str]) -> str:
    """Sign a person in with a password that is set anew each time."""
    cognito = emulator.client("cognito-idp")
    person = {"UserPoolId": outputs["UserPoolId"], "Username": username}
    password = f"{secrets.token_urlsafe(18)}aA1!"
    with suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(**person, MessageAction="SUPPRESS", UserAttributes=_attributes(username))
    cognito.admin_set_user_password(**person, Password=password, Permanent=True)
    for group in groups:
        cognito.admin_add_user_to_group(**person, GroupName=group)
    answer = cognito.initiate_auth(
        ClientId=outputs["PersonClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": username, "PASSWORD": password},
    )
    return str(answer["AuthenticationResult"]["AccessToken"])


def _attributes(username: str) -> list[dict[str, str]]:
    address = username if "@" in username else f"{username}@example.com"
    return [{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": "true"}]
