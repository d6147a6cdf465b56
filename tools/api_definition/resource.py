"""The API as a resource of the template, apart from its routes: stage, access log, authorizer, gateway responses.

SAM adds authorizer, API keys and gateway responses to the definition of the routes, and makes a new deployment when
that changes. The SAM CLI takes no AWS::Include among the properties of an API, so the whole resource is included.
"""

import json
from http import HTTPStatus
from typing import Any

Properties = dict[str, Any]

AUTHORIZER = "Callers"

# No item ids, query strings or bodies: they are the callers' data. The resource path has no item id.
_ACCESS_LOG = {
    "requestId": "requestId",
    "extendedRequestId": "extendedRequestId",
    "trace": "xrayTraceId",
    "time": "requestTimeEpoch",
    "method": "httpMethod",
    "resource": "resourcePath",
    "status": "status",
    "caller": "authorizer.claims.sub",
    "client": "identity.apiKeyId",
    "ip": "identity.sourceIp",
    "bytes": "responseLength",
    "ms": "responseLatency",
    "integrationMs": "integrationLatency",
    "integrationStatus": "integrationStatus",
    "refusedBy": "error.responseType",
}

# The errors of API Gateway itself are problem documents too. The body of a default response can name only one status,
# so every response type that can occur with another status has its own entry: status, detail, further headers.
_GATEWAY_RESPONSES: dict[str, tuple[int, str, dict[str, str]]] = {
    "DEFAULT_4XX": (400, "The request could not be read.", {}),
    # API Gateway validates only that a body is an object with the required fields.
    "BAD_REQUEST_BODY": (422, "The body must be a JSON object with every required field.", {}),
    "UNAUTHORIZED": (
        401,
        "The token is missing, has expired, or does not cover this method.",
        {"WWW-Authenticate": "'Bearer'"},
    ),
    "EXPIRED_TOKEN": (401, "The token has expired.", {"WWW-Authenticate": "'Bearer'"}),
    "ACCESS_DENIED": (403, "This caller may not do that.", {}),
    "INVALID_API_KEY": (
        403,
        "The header x-api-key is missing, or what it has is no key of a client that is let in.",
        {},
    ),
    "WAF_FILTERED": (403, "The request was refused by a firewall rule.", {}),
    "MISSING_AUTHENTICATION_TOKEN": (404, "There is nothing at this path.", {}),
    "RESOURCE_NOT_FOUND": (404, "There is nothing at this path.", {}),
    "REQUEST_TOO_LARGE": (413, "The body is larger than this service takes.", {}),
    "UNSUPPORTED_MEDIA_TYPE": (415, "The content type is not one that this service takes.", {}),
    "THROTTLED": (429, "More requests than this service takes at a time. Try again later.", {"Retry-After": "'1'"}),
    "QUOTA_EXCEEDED": (429, "The quota of this caller is used up.", {"Retry-After": "'3600'"}),
    "DEFAULT_5XX": (500, "The request could not be handled. Try again later.", {"Retry-After": "'5'"}),
    # API Gateway answers this when the reserved concurrency of the function is exhausted.
    "INTEGRATION_FAILURE": (503, "The service is busy. Try again later.", {"Retry-After": "'5'"}),
    "INTEGRATION_TIMEOUT": (504, "The request could not be handled in time. Try again later.", {"Retry-After": "'5'"}),
}


def create_api(definition: Properties, method_settings: list[Properties]) -> Properties:
    """Create the resource with these routes, in OpenAPI 2.0, and the settings of their methods."""
    properties = {
        "Name": {"Ref": "AWS::StackName"},
        "StageName": "live",
        # Without it SAM adds a second stage named Stage.
        "OpenApiVersion": "2.0",
        "EndpointConfiguration": {"Type": "REGIONAL"},
        "TracingEnabled": True,
        "CacheClusterEnabled": {"Fn::If": ["ApiCache", True, False]},
        "CacheClusterSize": {"Fn::If": ["ApiCache", {"Ref": "ApiCacheSize"}, {"Ref": "AWS::NoValue"}]},
        "MinimumCompressionSize": 1024,
        "FailOnWarnings": True,
        # Nothing reads it. It makes the stage depend on the account's log role, without which a stage cannot have an
        # access log.
        "Variables": {"LogRole": {"Fn::If": ["SetApiLogRole", {"Ref": "ApiLogAccount"}, "existing"]}},
        "AccessLogSetting": {
            "DestinationArn": {"Fn::GetAtt": ["ApiLog", "Arn"]},
            "Format": json.dumps({name: f"$context.{value}" for name, value in _ACCESS_LOG.items()}),
        },
        "Auth": {
            # No DefaultAuthorizer: with it SAM gives public routes a security scheme NONE that it does not define,
            # which API Gateway's import may report as a warning.
            # SAM resolves the parameter; empty means false. A new value changes the definition, and so creates a new
            # deployment.
            "ApiKeyRequired": {"Ref": "ClientKeys"},
            "Authorizers": {AUTHORIZER: {"UserPoolArn": {"Fn::GetAtt": ["UserPool", "Arn"]}}},
        },
        "GatewayResponses": {
            kind: _create_gateway_response(kind, status, detail, headers)
            for kind, (status, detail, headers) in _GATEWAY_RESPONSES.items()
        },
        "MethodSettings": method_settings,
        "DefinitionBody": definition,
    }
    return {"Type": "AWS::Serverless::Api", "Properties": properties}


def create_method_settings(path: str, method: str, *, is_cached: bool) -> Properties:
    """Create the settings of a method, which replace all settings of `/*`, or of all other methods (`/*` and `*`)."""
    cache = {
        "CachingEnabled": {"Fn::If": ["ApiCache", True, False]},
        "CacheTtlInSeconds": {"Ref": "ApiCacheSeconds"},
        "CacheDataEncrypted": {"Ref": "ApiCacheEncrypted"},
    }
    return {
        "ResourcePath": path if path == "/*" else "/" + path.replace("/", "~1"),
        "HttpMethod": method,
        "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
        "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
        "MetricsEnabled": False,  # metrics of each method would cost more with each collection
        "LoggingLevel": "OFF",  # execution logs contain headers, and their log group has no retention
        "DataTraceEnabled": False,
        **(cache if is_cached else {"CachingEnabled": False}),
    }


def _create_gateway_response(kind: str, status: int, detail: str, headers: dict[str, str]) -> Properties:
    problem: Properties = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail,
    }  # fmt: skip
    if kind == "BAD_REQUEST_BODY":
        # It names the missing fields. API Gateway escapes it for a JSON text.
        problem["errors"] = [{"field": "", "detail": "$context.error.validationErrorString"}]
    return {
        "StatusCode": status,
        "ResponseParameters": {"Headers": {"Content-Type": "'application/problem+json'", **headers}},
        "ResponseTemplates": {"application/json": json.dumps(problem)},
    }
