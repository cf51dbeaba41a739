"""What schemathesis has to know to get past the door: real event keys, times and ids, and receivers of this machine only."""

import os
import re

import schemathesis

# Whatever URL is made up, the server gets this one: the receiver of run.py, on this machine.
RECEIVER = os.environ["TIDINGS_RECEIVER"]
# What the caller and run.py stand on: their environment and their client ids.
OWN = os.environ["TIDINGS_OWN"].split(",")


@schemathesis.hook
def before_call(context, case, kwargs):
    """No request carries another URL than the receiver's, and none deletes what those who ask stand on: every answer after it would be a 401."""
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("url"), str):
        body["url"] = RECEIVER
    if case.method == "DELETE":
        for deleted in re.findall(r"{(\w+)}", case.operation.path)[-1:]:
            if case.path_parameters.get(deleted) in OWN:
                case.path_parameters[deleted] = "00000000-0000-4000-8000-000000000000"


@schemathesis.hook
def map_body(context, body):
    """Event keys that exist: a made-up one is refused, and nothing behind it is reached."""
    if isinstance(body, dict):
        if isinstance(body.get("eventKey"), str):
            body["eventKey"] = "frontegg.user.created"
        if isinstance(body.get("eventKeys"), list) and all(isinstance(key, str) for key in body["eventKeys"]):
            body["eventKeys"] = ["frontegg.user.created", "*"][: max(1, len(body["eventKeys"]))]
        for event in body["events"] if isinstance(body.get("events"), list) else []:
            map_body(context, event)
    return body
