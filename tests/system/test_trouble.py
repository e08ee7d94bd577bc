from zope_exporter.system.trouble import Trouble, kind_of


def test_trouble_is_new_once_for_each_kind_and_over_once() -> None:
    trouble = Trouble()
    assert not trouble.is_over()
    errors = [TimeoutError("17 s"), TimeoutError("32 s"), OSError(5, "disk"), OSError(28, "disk")]
    assert [trouble.is_new(error) for error in errors] == [True, False, True, True]
    assert [trouble.is_over() for _ in range(2)] == [True, False]
    assert trouble.is_new(errors[-1])


def test_an_error_is_told_apart_by_its_causes_without_end() -> None:
    first, second = LookupError("a"), LookupError("b")
    assert kind_of(first) == kind_of(second)
    second.__cause__ = OSError(13, "denied")
    assert kind_of(first) != kind_of(second)
    second.__cause__, first.__cause__ = first, second
    assert set(kind_of(first)) == {"builtins.LookupError"}
