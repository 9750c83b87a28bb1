"""Which pipeline answers: that of the scenario that the request names."""

from service.api.problems import InvalidFields
from service.scenarios import Scenario
from service.settings.scenarios import DEFAULT
from service.wiring import Parts


def scenario_of(parts: Parts, name: str) -> Scenario:
    """The scenario; where none is declared the word is a label, and the default answers.

    Raises:
        InvalidFields: the file of scenarios does not declare it.
    """
    declared = parts.scenarios
    if name == DEFAULT or len(declared) == 1:
        return declared[DEFAULT]
    scenario = declared.get(name)
    if scenario is None:
        raise InvalidFields([("scenario", f"is none of {', '.join(sorted(declared))}")])
    return scenario
