"""What leaves the platform when a count of persons is small."""

import pytest

from parcours.leaving import shown_chain, shown_count, shown_part
from parcours.reporting.suppression import publish_column, publish_table


@pytest.mark.parametrize(
    ("persons", "published"), [(0, 0), (1, "<11"), (10, "<11"), (11, 11), (4200, 4200)], ids=lambda value: str(value)
)
def test_a_count_from_1_to_10_leaves_as_less_than_11(persons, published):
    assert shown_count(persons) == published


def test_a_part_is_withheld_when_the_rest_of_the_whole_is_small():
    assert shown_part(60, whole=100) == 60
    assert shown_part(4, whole=100) == "<11"
    assert shown_part(95, whole=100) == "hidden"
    assert shown_part(100, whole=100) == 100


def test_one_small_cell_takes_the_next_smallest_with_it():
    #  site      fractures   published
    #  hip             120         120
    #  wrist            40      hidden     or 167 - 120 would give the spine back
    #  spine             7         <11
    #  total           167         167
    assert publish_column([120, 40, 7]) == ([120, "hidden", "<11"], 167)


def test_two_small_cells_protect_each_other_only_where_each_keeps_ten_values():
    #  3 + 7 = 10: each would be 1 to 9
    assert publish_column([120, 3, 7]) == (["hidden", "<11", "<11"], 130)
    assert publish_column([120, 4, 7]) == ([120, "<11", "<11"], 131)
    assert publish_column([120, 10, 10]) == (["hidden", "<11", "<11"], 140)
    assert publish_column([120, 40, 1, 1]) == ([120, "hidden", "<11", "<11"], 162)


def test_a_table_loses_a_cell_in_the_row_and_the_column_of_each_small_cell():
    table = publish_table([[50, 4, 60], [70, 80, 90], [30, 30, 40]])
    assert table.cells[0].count("hidden") >= 1
    assert [row[1] for row in table.cells].count("hidden") >= 1
    assert table.cells[0][1] == "<11"
    assert table.total == 454


def test_a_table_without_small_cells_is_published_whole():
    table = publish_table([[50, 0], [70, 80]])
    assert table.cells == [[50, 0], [70, 80]]
    assert (table.row_totals, table.column_totals, table.total) == ([50, 150], [120, 80], 200)


def test_an_attrition_step_that_loses_few_persons_hides_the_count_after_it():
    #  step               persons  lost      published
    #  65 or older           1000     -      1000   -
    #  ever reimbursed        996     4    hidden   <11
    #  no fracture before     800   196       800   hidden    1000 - 800 is all that can be told
    assert shown_chain([1000, 996, 800]) == ([1000, "hidden", 800], [0, "<11", "hidden"])


def test_an_attrition_chain_that_ends_in_a_small_loss_keeps_the_size_of_the_study():
    assert shown_chain([1000, 800, 797]) == ([1000, "hidden", 797], [0, "hidden", "<11"])


def test_a_study_of_few_persons_has_no_size():
    assert shown_chain([1000, 5]) == ([1000, "<11"], [0, "hidden"])
    assert shown_chain([1000, 990, 5]) == ([1000, "hidden", "<11"], [0, "<11", "hidden"])


def test_a_step_that_loses_nobody_says_so():
    assert shown_chain([1000, 1000, 500]) == ([1000, 1000, 500], [0, 0, 500])
