from zope_exporter.maintenance.jobs.report import ActionError, RefusedError


def test_an_error_names_stage_reason_and_remedy() -> None:
    error = ActionError("copying main", "no space left", "make room on /backup")
    assert str(error) == "copying main: no space left (make room on /backup)"
    assert str(ActionError("copying main", "no space left")) == "copying main: no space left"


def test_a_refusal_has_a_code() -> None:
    refused = RefusedError("room", "a pack needs 3 GB")
    assert (refused.code, str(refused)) == ("room", "preconditions: a pack needs 3 GB")
