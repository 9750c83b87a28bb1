"""The inputs that a user tower may declare, and the check that it declares nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import maxsize

from service.domain.actions import ACTIONS
from service.errors import ReleaseRefused
from service.towers.features import USER_FEATURES, ServingInputs, translate_actions

INT64 = "tensor(int64)"
FLOAT = "tensor(float)"

ALLOWED: dict[str, tuple[str, tuple[str, ...]]] = {
    "item_rows": (INT64, ("B", "H")),
    "action_types": (INT64, ("B", "H")),
    "ages_s": (FLOAT, ("B", "H")),
    "item_vectors": (FLOAT, ("B", "H", "dim")),
    "history_length": (INT64, ("B",)),
    "interest_rows": (INT64, ("B", "C")),
    "user_features": (FLOAT, ("B", "F")),
    "context": (FLOAT, ("B", "4")),
}
"""Name -> element type and shape; `service.towers.features` says what each means."""

DEFAULT_INTERESTS = 8
"""C where the tower leaves it free."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One input or output as the ONNX file declares it; free dimensions are not numbers."""

    name: str
    element: str
    shape: tuple[object, ...]

    def __str__(self) -> str:
        dims = ", ".join("?" if not isinstance(dim, int) else str(dim) for dim in self.shape)
        return f"{self.name} {self.element} [{dims}]"


@dataclass(frozen=True, slots=True)
class TowerFit:
    """What the rest of the release expects of the tower: see the manifest's names."""

    dim: int
    history_length: int
    actions: tuple[str, ...] = ACTIONS
    category_names: tuple[str, ...] = ()
    user_feature_names: tuple[str, ...] = field(default=())
    n_items: int = maxsize

    def serving_inputs(self, slots: Sequence[Slot], file: str) -> ServingInputs:
        """Check the declared inputs and return what builds them.

        Raises:
            ReleaseRefused: an unknown input, a wrong element type, rank or size.
        """
        for slot in slots:
            self._check(slot, file)
        self._check_names(slots, file)
        width = next((s.shape[1] for s in slots if s.name == "interest_rows"), None)
        return ServingInputs(
            declared=frozenset(slot.name for slot in slots),
            history_length=self.history_length,
            translation=translate_actions(self.actions),
            category_numbers={name: i for i, name in enumerate(self.category_names)},
            interest_width=width if isinstance(width, int) else DEFAULT_INTERESTS,
            user_feature_names=self.user_feature_names,
            n_items=self.n_items,
        )

    def _check(self, slot: Slot, file: str) -> None:
        if slot.name not in ALLOWED:
            allowed = ", ".join(ALLOWED)
            raise _refusal(file, f"has the unknown input {slot.name}: use only {allowed}")
        element, letters = ALLOWED[slot.name]
        wanted = f"{slot.name} {element} [{', '.join(letters)}]"
        is_alike = slot.element == element and len(slot.shape) == len(letters)
        if not is_alike or not all(map(_fits, letters, slot.shape)):
            raise _refusal(file, f"declares {slot}: export it as {wanted}")
        sizes = {"H": self.history_length, "dim": self.dim, "F": len(self.user_feature_names)}
        for letter, size in zip(letters, slot.shape, strict=True):
            if letter == "B" and isinstance(size, int):
                raise _refusal(file, f"fixes the batch of {slot}: export it with a free batch size")
            if isinstance(size, int) and size != sizes.get(letter, size):
                fit = f"{letter} = {sizes[letter]}"
                raise _refusal(file, f"declares {slot}, but the manifest says {fit}: export again")

    def _check_names(self, slots: Sequence[Slot], file: str) -> None:
        unknown = [name for name in self.user_feature_names if name not in USER_FEATURES]
        wants = any(slot.name == "user_features" for slot in slots)
        if wants and (unknown or not self.user_feature_names):
            found = f"not {unknown[0]}" if unknown else "at least one"
            raise _refusal(
                file,
                "wants user_features: name them in the manifest's inputs, of "
                f"{', '.join(USER_FEATURES)}; {found}",
            )


def _fits(letter: str, size: object) -> bool:
    """Whether a dimension that the contract fixes has that size, or is free."""
    return not letter.isdigit() or not isinstance(size, int) or size == int(letter)


def _refusal(file: str, what: str) -> ReleaseRefused:
    return ReleaseRefused("tower", f"{file} {what}")
