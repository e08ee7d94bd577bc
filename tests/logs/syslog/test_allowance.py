from zope_exporter.logs.syslog.allowance import Allowance


def test_a_share_of_each_second_is_allowed() -> None:
    now = used = 0.0
    allowance = Allowance(0.25, lambda: now, lambda: used)
    assert allowance.overdrawn() == 0
    now, used = 0.2, 0.2
    assert allowance.overdrawn() == 0
    now, used = 0.4, 0.3
    assert allowance.overdrawn() == 0.6
    now, used = 1.1, 0.3
    assert allowance.overdrawn() == 0
    now, used = 1.2, 0.5
    assert allowance.overdrawn() == 0
    now, used = 1.5, 0.6
    assert round(allowance.overdrawn(), 6) == 0.6
