"""The API: every method requires a token, and every error is a problem document."""

import json
from collections.abc import Iterator
from typing import Any

from tests.template.rules.reading import names, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template
from tools.api_definition.routes import ANY_METHOD

_READS, _WRITES = "sluice/read", "sluice/write"
# Public routes: the OpenAPI document, its page and the status contain no data of users.
PUBLIC = frozenset({"/v1/openapi.json", "/v1/docs", "/v1/status"})


def _methods(api: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in api["Body"]["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


class MethodScopes(Rule):
    """Without a scope, API Gateway also accepts identity tokens, which are for another audience."""

    id = "E9111"
    shortdesc = "Every method except the public ones requires a token with a matching scope"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{method.upper()} {path} of {name} {fault}")
            for name, api in of_type(cfn, "AWS::ApiGateway::RestApi")
            for path, method, operation in _methods(api)
            if path not in PUBLIC
            for fault in self._faults(method, operation)
        ]

    def _faults(self, method: str, operation: dict[str, Any]) -> list[str]:
        scopes = {scope for choice in operation.get("security", []) for listed in choice.values() for scope in listed}
        if not scopes:
            return ["requires no scope"]
        foreign = {"get": _WRITES, "post": _READS, "put": _READS, "delete": _READS}.get(method)
        return [f"accepts the scope {foreign}"] if foreign in scopes else []


class SchemesDefined(Rule):
    """FailOnWarnings turns a warning of API Gateway's import into a failed deployment, and the import may warn of a
    scheme that the definition does not define. SAM writes such a scheme, NONE, for `Authorizer: NONE`."""

    id = "E9182"
    shortdesc = "Every security requirement of the API names a defined security scheme"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{method.upper()} {path} of {name} requires the undefined scheme {scheme}")
            for name, api in of_type(cfn, "AWS::ApiGateway::RestApi")
            for path, method, operation in _methods(api)
            for requirement in operation.get("security", [])
            for scheme in sorted(requirement.keys() - api["Body"].get("securityDefinitions", {}).keys())
        ]


class ProblemDocuments(Rule):
    """RFC 9457 also applies to the errors of API Gateway itself."""

    id = "E9112"
    shortdesc = "Gateway responses are problem documents whose status is the HTTP status"

    def match(self, cfn: Template) -> list[RuleMatch]:
        matches = []
        for name, api in of_type(cfn, "AWS::ApiGateway::RestApi"):
            responses = api["Body"].get("x-amazon-apigateway-gateway-responses", {})
            matches += [
                RuleMatch(["Resources", name, "Properties"], f"{name} has no gateway response {kind}")
                for kind in ("DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "THROTTLED")
                if kind not in responses
            ]
            matches += [
                RuleMatch(["Resources", name, "Properties"], f"The gateway response {kind} of {name} {fault}")
                for kind, response in responses.items()
                for fault in self._faults(response)
            ]
        return matches

    def _faults(self, response: dict[str, Any]) -> list[str]:
        headers = response.get("responseParameters", {})
        status = int(response.get("statusCode", 0))
        faults = []
        if headers.get("gatewayresponse.header.Content-Type") != "'application/problem+json'":
            faults.append("is not application/problem+json")
        document = json.loads(response["responseTemplates"]["application/json"])
        if not {"type", "title", "status", "detail"} <= document.keys():
            faults.append("lacks a member of a problem document")
        if document.get("status") != status:
            faults.append(f"has the status {document.get('status')} in its body and {status} as HTTP status")
        if status == 401 and "gatewayresponse.header.WWW-Authenticate" not in headers:
            faults.append("has no WWW-Authenticate")
        if status == 429 and "gatewayresponse.header.Retry-After" not in headers:
            faults.append("has no Retry-After")
        return faults


class Throttles(Rule):
    """The settings of one method replace all settings of /*, so they need their own limits."""

    id = "E9125"
    shortdesc = "Every method of a stage has a throttling rate and burst"

    def match(self, cfn: Template) -> list[RuleMatch]:
        matches = []
        for name, stage in of_type(cfn, "AWS::ApiGateway::Stage"):
            listed = stage.get("MethodSettings", [])
            settings = {f"{setting['HttpMethod']} {setting['ResourcePath']}": setting for setting in listed}
            matches += [
                RuleMatch(["Resources", name], f"{name} has no {limit} for {method}")
                for method, setting in {"* /*": {}, **settings}.items()
                for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit")
                if limit not in setting
            ]
        return matches


class FunctionsInvocable(Rule):
    """SAM writes the permissions of events only, and the API's routes are none: a forgotten one is a 500."""

    id = "E9187"
    shortdesc = "The API has permission to invoke the function of every route, and for no other method"

    def match(self, cfn: Template) -> list[RuleMatch]:
        methods: dict[str, set[str]] = {}
        for _, api in of_type(cfn, "AWS::ApiGateway::RestApi"):
            for _, method, operation in _methods(api):
                uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
                function = uri.partition("functions/${")[2].partition(".Arn}")[0]
                methods.setdefault(function, set()).add("*" if method == ANY_METHOD else method.upper())
        allowed = {
            function: permission["SourceArn"]["Fn::Sub"].partition("${Api}/live/")[2].partition("/")[0]
            for _, permission in of_type(cfn, "AWS::Lambda::Permission")
            if permission["Principal"] == "apigateway.amazonaws.com"
            for function in methods
            if names(permission["FunctionName"], function)
        }
        return [
            RuleMatch(
                ["Resources", function], f"The API may invoke {function} for {allowed.get(function)}, not {method}"
            )
            for function, wanted in methods.items()
            for method in sorted(wanted)
            if allowed.get(function) != method
        ]


class NoMethodMetrics(Rule):
    """CloudWatch bills each metric of each method by the month, so they would cost more with each collection."""

    id = "E9188"
    shortdesc = "No method has metrics of its own"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} has metrics for {setting['HttpMethod']} {setting['ResourcePath']}")
            for name, stage in of_type(cfn, "AWS::ApiGateway::Stage")
            for setting in stage.get("MethodSettings", [])
            if setting.get("MetricsEnabled") is not False
        ]
