"""Labels find a free place near their points, also in a crowd."""

from __future__ import annotations

from matplotlib.figure import Figure

from bench_lib.report.labels import Label, place


def labelled(labels: list[Label]) -> Figure:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.add_subplot()
    axis.set_xlim(0, 10)
    axis.set_ylim(0, 10)
    for x, y, _ in labels:
        axis.plot(x, y, marker="o")
    place(figure, [(axis, labels)])
    return figure


def test_a_lone_point_has_its_label_to_its_right_without_a_leader() -> None:
    (text,) = labelled([(5.0, 5.0, "alone")]).axes[0].texts
    assert text.get_ha() == "left"
    assert text.arrow_patch is None


def test_a_point_at_the_right_edge_has_its_label_within_the_axes() -> None:
    figure = labelled([(9.9, 5.0, "at the edge")])
    (text,) = figure.axes[0].texts
    assert text.get_window_extent().x1 <= figure.axes[0].get_window_extent().x1


def test_points_on_one_spot_have_labels_apart() -> None:
    figure = labelled([(5.0, 5.0, f"technique {i}") for i in range(9)])
    figure.draw_without_rendering()
    places = {(*text.get_position(), text.get_ha(), text.get_va()) for text in figure.axes[0].texts}
    assert len(places) == 9


def test_no_labels() -> None:
    assert list(labelled([]).axes[0].texts) == []
