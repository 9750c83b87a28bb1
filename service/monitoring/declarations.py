"""All metrics that there are, and where their numbers lie."""

from service.monitoring.answer_metrics import ANSWERS
from service.monitoring.item_metrics import ITEMS
from service.monitoring.layout import lay_out
from service.monitoring.operator_metrics import OPERATOR
from service.monitoring.process_metrics import PROCESS
from service.monitoring.release_metrics import RELEASES
from service.monitoring.serving_metrics import SERVING

SPECS = (*SERVING, *ANSWERS, *RELEASES, *ITEMS, *OPERATOR, *PROCESS)
LAYOUT = lay_out(SPECS)
