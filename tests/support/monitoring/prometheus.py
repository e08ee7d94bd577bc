"""What tests ask a running Prometheus."""

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
        answer = self._client.post("/api/v1/query", data={"query": expression}).json()
        if answer["status"] != "success":
            raise QueryError(f"{answer['error']}: {expression}")
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
