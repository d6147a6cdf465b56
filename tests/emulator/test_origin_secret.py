"""The origin secret changes without interruption: at each step the API accepts the value that CloudFront sends."""

import copy
from typing import Any

from testkit.emulator_harness import Emulator, deploy_stack
from testkit.translate import TEMPLATE, read

HEADER = "x-origin-verify"
RESOURCES = ("Distribution", "SharedCachePolicy", "SecurityHeaders", "OriginSecret", "ApiAcl")
OUTPUTS = ("DistributionId", "ApiAclArn", "OriginSecretArn")


def _build_template(sent: str, also: str) -> dict[str, Any]:
    """Return the part of the template that uses the secret, with these two parameters."""
    template = copy.deepcopy(read(TEMPLATE))
    parameters = template["Parameters"]
    parameters["OriginSecretVersion"]["Default"], parameters["OriginSecretAlso"]["Default"] = sent, also
    resources = {name: template["Resources"][name] for name in RESOURCES}
    configuration = resources["Distribution"]["Properties"]["DistributionConfig"]
    del resources["Distribution"]["DependsOn"]
    configuration["Origins"][0]["DomainName"] = "api.example.com"
    configuration["WebACLId"] = ""
    return {
        "Parameters": parameters,
        "Conditions": template["Conditions"],
        "Resources": resources,
        "Outputs": {name: {"Value": template["Outputs"][name]["Value"]} for name in OUTPUTS},
    }


class DeployedSecret:
    """The deployed value that CloudFront sends, and the values that the API accepts."""

    def __init__(self, emulator: Emulator, sent: str = "", also: str = "") -> None:
        outputs = deploy_stack(emulator, "secret", _build_template(sent, also))
        self.secret = outputs["OriginSecretArn"]
        cloudfront = emulator.client("cloudfront")
        configuration = cloudfront.get_distribution_config(Id=outputs["DistributionId"])["DistributionConfig"]
        [header] = configuration["Origins"]["Items"][0]["CustomHeaders"]["Items"]
        assert header["HeaderName"] == HEADER
        self.sent = header["HeaderValue"]
        name, acl_id = outputs["ApiAclArn"].split("/")[-2:]
        acl = emulator.client("wafv2").get_web_acl(Name=name, Id=acl_id, Scope="REGIONAL")["WebACL"]
        assert acl["DefaultAction"] == {"Block": {}}
        matches = [rule["Statement"]["ByteMatchStatement"] for rule in acl["Rules"] if "Allow" in rule["Action"]]
        assert {match["FieldToMatch"]["SingleHeader"]["Name"] for match in matches} == {HEADER}
        assert {match["PositionalConstraint"] for match in matches} == {"EXACTLY"}
        self.accepted = {match["SearchString"].decode() for match in matches}


def test_the_secret_changes_without_interruption(emulator: Emulator) -> None:
    deployed = DeployedSecret(emulator)
    first = deployed.sent
    assert len(first) == 64
    assert deployed.accepted == {first}
    secrets = emulator.client("secretsmanager")
    old = secrets.get_secret_value(SecretId=deployed.secret)["VersionId"]
    new = secrets.put_secret_value(SecretId=deployed.secret, SecretString="second")["VersionId"]

    deployed = DeployedSecret(emulator, sent=old, also=new)
    assert (deployed.sent, deployed.accepted) == (first, {first, "second"})
    deployed = DeployedSecret(emulator, sent=new, also=old)
    assert (deployed.sent, deployed.accepted) == ("second", {first, "second"})
    deployed = DeployedSecret(emulator, sent=new)
    assert (deployed.sent, deployed.accepted) == ("second", {"second"})
