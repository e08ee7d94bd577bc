from zope_exporter.web.rate_limit import RateLimit
from zope_exporter.web.webconfig import RateLimitConfig


def of(interval: str, burst: int) -> RateLimitConfig:
    return RateLimitConfig.model_validate({"interval": interval, "burst": burst})


def test_after_a_burst_one_comes_through_each_interval() -> None:
    now = [0.0]
    limit, config = RateLimit(lambda: now[0]), of("2s", 2)
    assert [limit.allows(config) for _ in range(3)] == [True, True, False]
    now[0] = 1.9
    assert not limit.allows(config)
    now[0] = 2.0
    assert [limit.allows(config) for _ in range(2)] == [True, False]
    now[0] = 1000.0  # the bucket holds no more than the burst
    assert [limit.allows(config) for _ in range(3)] == [True, True, False]


def test_a_changed_limit_holds_from_then_on() -> None:
    limit = RateLimit(lambda: 0.0)
    assert limit.allows(None)
    assert [limit.allows(of("1s", 1)) for _ in range(2)] == [
        True,
        False,
    ]
    assert limit.allows(of("1s", 2))
    assert all(limit.allows(of("0", 1)) for _ in range(9))
