"""Errors of the offline commands: what the caller can fix, each as one sentence.

ModelsError
├── DataInvalid       the interaction data are missing, broken or unfit; names the file and the fix
├── RecipeInvalid     a dataset or recipe file says something impossible
├── PublishInvalid    a release cannot be built or stored
├── TrainingInvalid   training cannot start, or a saved run does not belong to this one
└── EvaluationInvalid there is nothing to predict, or the towers have seen it
"""


class ModelsError(Exception):
    """Bad input to an offline command: shown as one sentence, exit code 2."""


class DataInvalid(ModelsError):
    """The data cannot be used; the sentence names the file and what to do about it."""


class RecipeInvalid(ModelsError):
    """A recipe or dataset description is wrong; the sentence names the file and the key."""


class TrainingInvalid(ModelsError):
    """Training cannot start, or a checkpoint or saved tower does not fit this run."""


class PublishInvalid(ModelsError):
    """A release cannot be built or stored; the sentence says what to do about it."""


class EvaluationInvalid(ModelsError):
    """The log has no case to predict, or the towers were trained on what they are to predict."""
