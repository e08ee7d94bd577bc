"""The route that Alertmanager delivers to."""

import logging
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.alerting.webhook.handler import AlertHandler, Verdict
from zope_exporter.alerting.webhook.payload import PayloadError, parse_notification
from zope_exporter.collectors.webhook import WebhookCollector

from .api import API, RefusedRequestError, json_response, read_json, require_token
from .thread import in_thread
from .throttle import Throttle
from .tokens import TokenFile, TokenOwner

log = logging.getLogger(__name__)

LONGEST_NOTIFICATION = 1 << 20


def webhook_route(tokens: TokenFile, handler: AlertHandler, counts: WebhookCollector) -> Route:
    """Return the route that takes notifications."""
    # Alertmanager repeats a refused notification for ever.
    invalid, unavailable = Throttle(), Throttle()

    async def deliver(request: Request, owner: TokenOwner) -> Response:
        try:
            body = await read_json(request, LONGEST_NOTIFICATION)
            notification = parse_notification(body)
        except (PayloadError, RefusedRequestError) as error:
            counts.count_invalid()
            if invalid.due():
                log.warning("a notification of token %s is refused: %s", owner.name, error)
            status = error.status if isinstance(error, RefusedRequestError) else 400
            raise RefusedRequestError(status, str(error)) from None
        verdicts = await in_thread(partial(handler.receive, notification))
        outcome = counts.count(verdicts)
        if outcome == "unavailable" and unavailable.due():
            reason = next(v.reason for v in verdicts if v.outcome == "unavailable")
            log.error("no action can be started for an alert: %s", reason)
        for verdict in verdicts:
            if verdict.outcome == "accepted" and verdict.job is not None:
                log.info("alert %s has started job %s", verdict.alert.name, verdict.job.id)
        status = {"accepted": 202, "unavailable": 503}.get(outcome, 200)
        content = {"outcome": outcome, "alerts": [_result(verdict) for verdict in verdicts]}
        return json_response(content, status)

    endpoint = require_token(tokens, "alertmanager", deliver, LONGEST_NOTIFICATION)
    return Route(f"{API}alertmanager", endpoint, methods=["POST"])


def _result(verdict: Verdict) -> dict[str, Any]:
    result = {"fingerprint": verdict.alert.fingerprint, "outcome": verdict.outcome}
    if verdict.reason:
        result["reason"] = verdict.reason
    return result | ({"job": verdict.job.id} if verdict.job else {})
