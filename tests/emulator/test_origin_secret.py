"""The origin's secret is changed without a gap: at each step the API takes what CloudFront sends."""

import copy
from typing import Any

from tests.emulator.harness import Emulator, deploy_stack
from tests.template.translate import TEMPLATE, read

HEADER = "x-origin-verify"
RESOURCES = ("Distribution", "SharedCachePolicy", "SecurityHeaders", "OriginSecret", "ApiAcl")
OUTPUTS = ("DistributionId", "ApiAclArn", "OriginSecretArn")


def _edge(sent: str, also: str) -> dict[str, Any]:
    """What of the template has to do with the secret, with the two parameters."""
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


class Edge:
    """The two sides of the secret, as they are deployed."""

    def __init__(self, emulator: Emulator, sent: str = "", also: str = "") -> None:
        outputs = deploy_stack(emulator, "secret", _edge(sent, also))
        self.secret = outputs["OriginSecretArn"]
        cloudfront = emulator.client("cloudfront")
        configuration = cloudfront.get_distribution_config(Id=outputs["DistributionId"])["DistributionConfig"]
        [header] = configuration["Origins"]["Items"][0]["CustomHeaders"]["Items"]
        assert header["HeaderName"] == HEADER
        self.sends = header["HeaderValue"]
        name, acl_id = outputs["ApiAclArn"].split("/")[-2:]
        acl = emulator.client("wafv2").get_web_acl(Name=name, Id=acl_id, Scope="REGIONAL")["WebACL"]
        assert acl["DefaultAction"] == {"Block": {}}
        matches = [rule["Statement"]["ByteMatchStatement"] for rule in acl["Rules"] if "Allow" in rule["Action"]]
        assert {match["FieldToMatch"]["SingleHeader"]["Name"] for match in matches} == {HEADER}
        assert {match["PositionalConstraint"] for match in matches} == {"EXACTLY"}
        self.takes = {match["SearchString"].decode() for match in matches}


def test_the_secret_is_changed_without_a_gap(emulator: Emulator) -> None:
    edge = Edge(emulator)
    first = edge.sends
    assert len(first) == 64
    assert edge.takes == {first}
    secrets = emulator.client("secretsmanager")
    old = secrets.get_secret_value(SecretId=edge.secret)["VersionId"]
    new = secrets.put_secret_value(SecretId=edge.secret, SecretString="second")["VersionId"]

    edge = Edge(emulator, sent=old, also=new)
    assert (edge.sends, edge.takes) == (first, {first, "second"})
    edge = Edge(emulator, sent=new, also=old)
    assert (edge.sends, edge.takes) == ("second", {first, "second"})
    edge = Edge(emulator, sent=new)
    assert (edge.sends, edge.takes) == ("second", {"second"})
