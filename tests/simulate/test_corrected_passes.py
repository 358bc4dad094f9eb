"""A fit is corrected where passes were measured: right at each of their shapes, between its neighbours elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import PassPrices, Shape
from ngramspec.decoding.calibration_file import MeasuredPass
from ngramspec.simulate.corrected_passes import CorrectedPasses

FIT = PassPrices(0.01, of_token=1e-4, of_cached=1e-6, pads=True)
ROWS, COLUMNS, CONTEXT = (1, 2, 8), (1, 5, 49), 100
FACTORS = st.lists(st.floats(0.5, 2.0), min_size=9, max_size=9)


def shape(rows: int, columns: int, context: int = CONTEXT) -> Shape:
    return Shape(rows, columns, rows * columns, context)


def measured(factors: list[float]) -> list[MeasuredPass]:
    sizes = [(rows, columns) for rows in ROWS for columns in COLUMNS]
    return [
        MeasuredPass(*size, CONTEXT, factor * FIT.seconds(shape(*size)))
        for size, factor in zip(sizes, factors, strict=True)
    ]


@given(FACTORS)
def test_a_measured_shape_costs_what_was_measured(factors: list[float]) -> None:
    passes = measured(factors)
    corrected = CorrectedPasses(FIT, passes)
    assert [each.seconds for each in passes] == pytest.approx(
        [corrected.seconds(shape(each.rows, each.columns)) for each in passes]
    )


@given(FACTORS, st.integers(1, 100), st.integers(1, 300), st.integers(0, 5000))
def test_any_other_shape_has_an_error_between_those_of_its_neighbours(
    factors: list[float], rows: int, columns: int, context: int
) -> None:
    def around(sizes: tuple[int, ...], size: int) -> set[int]:
        return {max((each for each in sizes if each <= size), default=sizes[0]),
                min((each for each in sizes if each >= size), default=sizes[-1])}  # fmt: skip

    passes = measured(factors)
    near = [
        factor
        for factor, each in zip(factors, passes, strict=True)
        if each.rows in around(ROWS, rows) and each.columns in around(COLUMNS, columns)
    ]
    of_fit = FIT.seconds(shape(rows, columns, context))
    factor = CorrectedPasses(FIT, passes).seconds(shape(rows, columns, context)) / of_fit
    assert min(near) * (1 - 1e-9) <= factor <= max(near) * (1 + 1e-9)


@given(st.integers(1, 100), st.integers(1, 300), st.integers(0, 5000))
def test_without_measurements_the_fit_stands(rows: int, columns: int, context: int) -> None:
    assert FIT.seconds(shape(rows, columns, context)) == CorrectedPasses(FIT, ()).seconds(shape(rows, columns, context))


def test_errors_at_several_contexts_are_averaged() -> None:
    passes = [MeasuredPass(1, 1, context, factor * FIT.seconds(shape(1, 1, context)))
              for context, factor in ((50, 1.0), (500, 4.0))]  # fmt: skip
    assert pytest.approx(2.0) == CorrectedPasses(FIT, passes).seconds(shape(1, 1)) / FIT.seconds(shape(1, 1))
