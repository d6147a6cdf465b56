"""Code, template and docs use the glossary's words."""

import pytest

from tests.docs.words import Rule, collect_names, collect_texts, find_violations, read_rules, split_name

RULES = read_rules()


def test_the_words_are_read() -> None:
    assert len(RULES) > 30
    assert {place for rule in RULES for place in rule.places} <= {"name", "part", "text"}
    assert all(rule.instead and rule.places for rule in RULES)
    assert len(collect_names()) > 5000
    assert len(collect_texts()) > 10000


def test_names_are_split_into_parts() -> None:
    assert split_name("_read_LoadMode2") == ["read", "load", "mode", "2"]
    assert split_name("SURVEY_SECONDS") == ["survey", "seconds"]
    assert split_name("HTTPServer") == ["http", "server"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.word)
def test_a_word_that_we_do_not_use_is_nowhere(rule: Rule) -> None:
    assert find_violations(rule) == [], f"use {rule.instead}"
