from tests.support.programs.readme import README, with_tables


def test_the_tables_of_the_readme_are_those_of_the_code() -> None:
    text = README.read_text()
    assert with_tables(text) == text, "run python -m tests.support.programs.readme"
