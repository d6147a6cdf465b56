"""Answers to reads."""

import base64
import re
from functools import cache
from urllib.parse import urlencode

import msgspec

from sluice.api.conditions import tag_of, unless_held
from sluice.api.problems import Problem, invalid
from sluice.api.requests import Request
from sluice.api.responses import Response
from sluice.database import Database
from sluice.faults import AccessDenied, DatabaseAway, SchemaBehind, TryAgain
from sluice.ids import id_fault
from sluice.observability import described, note
from sluice.reading import items
from sluice.reading.arrival import retry_after
from sluice.reading.caching import known_by, may_be_kept
from sluice.reading.receipts import receipt
from sluice.registry import resources
from sluice.resource import Resource
from sluice.settings import ReadSettings, read
from sluice.versions import is_version

# Well below API Gateway's 29 seconds: a client learns soon that the replica does not answer.
STATEMENT_SECONDS = 10
LIMIT, HIGHEST_LIMIT = 50, 500


@cache
def _settings() -> ReadSettings:
    return read(ReadSettings)


@cache
def _replica() -> Database:
    return Database(_settings(), statement_seconds=STATEMENT_SECONDS)


def prepare() -> None:
    """Do at start-up what every read needs."""
    resources()
    _replica()


def answer(request: Request) -> Response:
    """Answer a GET of a collection, an item or a receipt. Raises Problem."""
    resource = resources().get(request.collection)
    if resource is None:
        raise Problem(404, "There is no such collection.")
    owner = request.caller.subject if resource.private else ""
    note(collection=resource.collection)
    try:
        if request.write_version:
            return _receipt(request, resource, owner)
        return _item(request, resource, owner) if request.item_id else _list(request, resource, owner)
    except (DatabaseAway, TryAgain, AccessDenied, SchemaBehind) as fault:
        note(**described(fault), fault=str(fault))
        raise Problem(503, "Reading is not possible at the moment.", headers={"Retry-After": "5"}) from None


def _receipt(request: Request, resource: Resource, owner: str) -> Response:
    item_id, version = _item_id(request, resource), request.write_version
    if not is_version(version):
        raise invalid("version", "Expected the version of a receipt", 400)
    found = receipt(_replica(), resource, owner, item_id, version)
    note(version=version, receipt=found.status)
    headers = {"Cache-Control": "no-store"}
    if found.status == "pending":
        headers["Retry-After"] = str(retry_after(version, _settings().buffer_seconds))
    return Response(200, msgspec.json.encode(found), headers)


def _item_id(request: Request, resource: Resource) -> str:
    if fault := id_fault(resource, request.item_id):
        raise invalid("id", fault, 400)
    return request.item_id


def _item(request: Request, resource: Resource, owner: str) -> Response:
    item = items.one(_replica(), resource, owner, _item_id(request, resource))
    if item is None:
        raise Problem(404, "There is no such item.")
    note(version=item.version)
    headers = may_be_kept(resource) | known_by(resource, item)
    return unless_held(request, Response(200, msgspec.json.encode(item), headers))


def _list(request: Request, resource: Resource, owner: str) -> Response:
    limit = _limit(request.query.get("limit", str(LIMIT)))
    after = _position(resource, request.query.get("after", ""))
    found, more = items.page(_replica(), resource, owner, after, limit)
    body: dict[str, object] = {"items": found}
    headers = may_be_kept(resource)
    if more:
        body["next"] = base64.urlsafe_b64encode(found[-1].id.encode()).decode()
        headers["Link"] = f'<?{urlencode({"limit": limit, "after": body["next"]})}>; rel="next"'
    encoded = msgspec.json.encode(body)
    headers["ETag"] = tag_of(encoded)
    return unless_held(request, Response(200, encoded, headers))


def _limit(text: str) -> int:
    limit = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise invalid("limit", f"Expected a number from 1 to {HIGHEST_LIMIT}", 400)
    return limit


def _position(resource: Resource, after: str) -> str:
    """The id behind an `after`, which only we make and only we read."""
    try:
        item_id = base64.b64decode(after, b"-_", validate=True).decode()
    except ValueError:
        item_id = "?"
    if after and id_fault(resource, item_id):
        raise invalid("after", "Expected the `next` of an earlier answer", 400)
    return item_id
