"""What tests ask a running Prometheus."""

import time
from typing import Any

import httpx

Series = list[dict[str, Any]]


class QueryError(Exception):
    """Prometheus refuses a query; the message is its own."""


class Prometheus:
    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def query(self, expression: str) -> Series:
        """The series it evaluates to now; QueryError with Prometheus' words if it cannot be."""
        return self._ask("query", {"query": expression})

    def query_since(self, start: float, expression: str, step: float) -> Series:
        """The same at each `step` of seconds since `start`, which is since the epoch."""
        times = {"start": start, "end": time.time(), "step": step}
        return self._ask("query_range", {"query": expression, **times})

    def _ask(self, what: str, question: dict[str, str | float]) -> Series:
        answer = self._client.post(f"/api/v1/{what}", data=question).json()
        if answer["status"] != "success":
            raise QueryError(f"{answer['error']}: {question['query']}")
        found: Series = answer["data"]["result"]
        return found

    def rules(self) -> Series:
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def pending(self, longest: float) -> set[str]:
        """Alerts that are about to fire, but for those that wait longer than so many seconds."""
        return {
            f"{rule['name']} {alert['labels'].get('site', '')}"
            for rule in self.rules()
            if rule.get("duration", 0) <= longest
            for alert in rule.get("alerts", ())
            if alert["state"] == "pending"
        }

    def close(self) -> None:
        self._client.close()
