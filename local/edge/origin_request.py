"""What the origin gets of a viewer's request."""

from dataclasses import replace
from uuid import uuid4

from local.edge.distribution import Behaviour
from local.edge.kept import Entry
from local.edge.messages import Headers, Request, with_headers, without

_CONDITIONS = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"})


def for_origin(behaviour: Behaviour, request: Request, entry: Entry | None = None) -> Request:
    """The request to the origin; with an entry, it asks whether that still holds."""
    origin, known, forwarded = behaviour.origin, behaviour.policy.known_by, behaviour.forwarded
    both = replace(
        known,
        queries=lambda name: known.queries(name) or forwarded.queries(name),
        cookies=lambda name: known.cookies(name) or forwarded.cookies(name),
    )
    headers: Headers = [
        (name, value)
        for name, value in without(request.headers, frozenset({"host", "cookie", "user-agent", "content-length"}))
        if known.headers(name) or forwarded.headers(name) or name == "content-type"
    ]
    agent = request.header("user-agent") if known.headers("user-agent") or forwarded.headers("user-agent") else None
    came = ", ".join(part for part in (request.header("x-forwarded-for"), request.client) if part)
    added = [
        ("user-agent", agent or "Amazon CloudFront"),
        ("x-forwarded-for", came),
        ("via", "1.1 edge.local (CloudFront)"),
        ("x-amz-cf-id", uuid4().hex),
    ]
    if behaviour.policy.encodings:
        headers = without(headers, frozenset({"accept-encoding"}))
        added += [("accept-encoding", encoding)] if (encoding := behaviour.policy.encoding(request)) else []
    added += [("cookie", cookie)] if (cookie := both.cookie(request)) else []
    if entry:
        headers = without(headers, _CONDITIONS)
        added += _condition(entry)
    return replace(
        request,
        path=origin.path + request.path,
        query=both.query(request),
        headers=with_headers(headers, *added, *origin.headers),
        client="127.0.0.1",
    )


def _condition(entry: Entry) -> Headers:
    etag, modified = entry.answer.header("etag"), entry.answer.header("last-modified")
    return [
        *([("if-none-match", etag)] if etag else []),
        *([("if-modified-since", modified)] if modified else []),
    ]
