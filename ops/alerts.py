"""Who is notified: the subscribers of the topic of alerts."""

from dataclasses import dataclass

from ops.aws import Stack


@dataclass(frozen=True)
class Subscribers:
    """How many subscriptions the topic of alerts has: confirmed ones get messages, pending ones none."""

    confirmed: int
    pending: int


def count_subscribers(stack: Stack) -> Subscribers:
    """Count the subscribers of the stack's alerts."""
    pages = (
        stack.client("sns")
        .get_paginator("list_subscriptions_by_topic")
        .paginate(TopicArn=stack.output("AlertsTopicArn"))
    )
    # SNS lists a subscription that is not confirmed with a word in the place of its ARN.
    states = [entry["SubscriptionArn"].startswith("arn:") for page in pages for entry in page["Subscriptions"]]
    return Subscribers(states.count(True), states.count(False))


def format_subscribers(subscribers: Subscribers) -> str:
    """Say who is notified; where nobody is, how to change that."""
    if subscribers.confirmed:
        return f"notify {subscribers.confirmed} subscriber{'' if subscribers.confirmed == 1 else 's'}"
    if subscribers.pending:
        return "nobody is notified: follow the link in the mail that AWS sent to confirm the subscription"
    return "nobody is notified: deploy with AlertEmail, or subscribe to the topic AlertsTopicArn"
