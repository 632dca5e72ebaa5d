"""A budget of tries: full at first, spent by failures, earned back by what goes well."""

from headwater.forces.budget import RetryBudget


def test_a_budget_runs_out() -> None:
    budget = RetryBudget(earned=0.1, most=3)
    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]


def test_a_tenth_of_what_went_well_may_be_tried_again() -> None:
    budget = RetryBudget(earned=0.25, most=2)
    while budget.spend():
        pass
    spent = 0
    for _ in range(100):
        budget.earn()
        spent += budget.spend()
    assert spent == 25


def test_a_long_good_time_saves_no_more_than_the_most() -> None:
    budget = RetryBudget(earned=1, most=2)
    for _ in range(100):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
