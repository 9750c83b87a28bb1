"""Learning curves of a training run, as JSON and as a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.files import write_bytes


@dataclass(frozen=True, slots=True)
class Epoch:
    """Mean losses of one epoch, in nats, and its wall time."""

    number: int
    user_to_item: float
    item_to_item: float
    seconds: float


def write_curves(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write `curves.json` and `curves.png`."""
    document = json.dumps([asdict(epoch) for epoch in epochs], indent=1)
    write_bytes(folder / "curves.json", document.encode())
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    numbers = [epoch.number for epoch in epochs]
    axes.plot(numbers, [epoch.user_to_item for epoch in epochs], marker="o", label="user to item")
    if any(epoch.item_to_item for epoch in epochs):
        axes.plot(
            numbers, [epoch.item_to_item for epoch in epochs], marker="o", label="item to item"
        )
    axes.set(xlabel="epoch", ylabel="loss (nats)")
    axes.legend()
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    write_bytes(folder / "curves.png", picture.getvalue())
