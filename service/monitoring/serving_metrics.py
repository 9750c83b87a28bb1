"""Metrics of the machinery: requests, stages, Redis."""

from service.monitoring.spec import (
    CODES,
    INVALID_VECTORS,
    METHODS,
    REDIS_BUCKETS,
    REDIS_OPS,
    REDIS_OUTCOMES,
    REJECTIONS,
    REQUEST_BUCKETS,
    ROUTES,
    STAGE_BUCKETS,
    STAGES,
    Spec,
)

HTTP = (
    Spec(
        "counter",
        "retrieval_http_requests_total",
        "Requests answered.",
        "code 500 is a defect: look for the request id in the log. 503: see requests_shed.",
        {"route": ROUTES, "method": METHODS, "code": CODES},
        is_lazy=True,
    ),
    Spec(
        "histogram",
        "retrieval_http_request_duration_seconds",
        "Time from the request line to the end of the answer.",
        "Above target: stage_duration shows which stage.",
        {"route": ROUTES},
        REQUEST_BUCKETS,
    ),
    Spec(
        "gauge",
        "retrieval_http_requests_in_progress",
        "Requests being answered now.",
        "Growing without end: the process is saturated; add workers.",
        mode="livesum",
    ),
    Spec(
        "counter",
        "retrieval_requests_rejected_total",
        "Requests refused because the caller got something wrong (4xx).",
        "A jump after a deployment of a caller: its answers say which field.",
        {"reason": REJECTIONS},
    ),
    Spec(
        "counter",
        "retrieval_requests_shed_total",
        "Requests refused without work (503).",
        "deadline: callers give too little time. no_release: publish one. store: Redis is down.",
        {"reason": ("deadline", "no_release", "store")},
    ),
    Spec(
        "counter",
        "retrieval_client_disconnects_total",
        "Callers that hung up before they were answered.",
        "Rising with latency: callers time out.",
    ),
    Spec(
        "counter",
        "retrieval_unhandled_errors_total",
        "Errors nobody expected, answered by 500.",
        "Always a defect: the log has the trace under the request id.",
    ),
    Spec(
        "gauge",
        "retrieval_ready",
        "1 while some process accepts requests.",
        "0 for minutes: read /readyz and the log.",
    ),
)

STAGE = (
    Spec(
        "histogram",
        "retrieval_stage_duration_seconds",
        "Time of one stage of one request.",
        "lookup is Redis, embed the tower, retrieve the index.",
        {"stage": STAGES},
        STAGE_BUCKETS,
    ),
    Spec(
        "counter",
        "retrieval_stage_errors_total",
        "Stages that failed and were forgiven; the answer says degraded.",
        "lookup: Redis. embed, retrieve: the release. exception: a defect.",
        {"stage": STAGES, "reason": ("timeout", "unavailable", "invalid", "exception")},
    ),
    Spec(
        "counter",
        "retrieval_user_embedding_invalid_total",
        "User vectors that were not usable.",
        "Any: the tower of this release is broken for some input; roll back.",
        {"reason": INVALID_VECTORS},
    ),
    Spec(
        "counter",
        "retrieval_ann_short_results_total",
        "Searches of the index that could not find as many items as asked for.",
        "Any: parts of the graph cannot be reached; roll back and build the index anew.",
    ),
)

REDIS = (
    Spec(
        "counter",
        "retrieval_redis_operations_total",
        "Calls to Redis by what came of them; miss = nothing known of the person.",
        "timeout, refused, circuit_open: Redis. corrupt, wrongtype: another writer on our keys.",
        {"op": REDIS_OPS, "outcome": REDIS_OUTCOMES},
    ),
    Spec(
        "histogram",
        "retrieval_redis_operation_duration_seconds",
        "Time of one call to Redis.",
        "Reads near redis.read_timeout_ms: Redis is busy or far away.",
        {"op": REDIS_OPS},
        REDIS_BUCKETS,
    ),
    Spec(
        "gauge",
        "retrieval_redis_breaker_state",
        "Circuit breaker: 0 closed, 1 half open, 2 open.",
        "2: Redis is not asked at all; answers know no sessions.",
    ),
    Spec(
        "counter",
        "retrieval_redis_breaker_transitions_total",
        "Changes of the circuit breaker.",
        "Flapping: Redis is up but slow.",
        {"to": ("closed", "half_open", "open")},
    ),
)

SERVING: tuple[Spec, ...] = (*HTTP, *STAGE, *REDIS)
