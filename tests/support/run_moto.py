"""moto's AWS stand-in on a free loopback port. Prints the port; ends when standard input does."""

import copy
import json
import os
import sys
import threading

from moto.apigateway.models import RestAPI
from moto.awslambda.models import LambdaFunction
from moto.dynamodb.models import DynamoDBBackend
from moto.server import ThreadedMotoServer


def tell_the_whole_configuration():
    """Lets Lambda answer with all that a function was given.

    moto takes these parts and does not give them back, so that Terraform would find its functions
    changed whenever it looks.
    """
    forgotten = ["DeadLetterConfig", "KMSKeyArn", "LoggingConfig"]
    create, update = LambdaFunction.__init__, LambdaFunction.update_configuration
    tell = LambdaFunction.get_configuration

    def keep(function, given):
        kept = vars(function).setdefault("kept", {})
        kept.update((part, given[part]) for part in forgotten if part in given)

    def keeping_create(function, *rest, spec, **named):
        create(function, *rest, spec=spec, **named)
        keep(function, spec)

    def keeping_update(function, given):
        keep(function, given)
        return update(function, given)

    def whole(function, *rest, **named):
        told = tell(function, *rest, **named)
        told.update((part, value) for part, value in function.kept.items() if value)
        return told

    LambdaFunction.__init__ = keeping_create
    LambdaFunction.update_configuration = keeping_update
    LambdaFunction.get_configuration = whole


def tell_policies_as_api_gateway_does():
    """Lets a REST API's policy come back with its quotes escaped, which clients undo."""
    tell = RestAPI.to_dict

    def escaped(api):
        told = tell(api)
        if told.get("policy"):
            told["policy"] = json.dumps(told["policy"])[1:-1]
        return told

    RestAPI.to_dict = escaped


def write_one_at_a_time():
    """Makes a conditional write one step, as it is in DynamoDB.

    moto looks at the item first and changes it then, and another request may come between.
    """
    lock = threading.RLock()

    def alone(write):
        def locked(*rest, **named):
            with lock:
                # What is there now, whatever becomes of it while the answer is written.
                return copy.deepcopy(write(*rest, **named))

        return locked

    for name in ["put_item", "update_item", "delete_item", "transact_write_items"]:
        setattr(DynamoDBBackend, name, alone(getattr(DynamoDBBackend, name)))


tell_the_whole_configuration()
write_one_at_a_time()
tell_policies_as_api_gateway_does()
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
os._exit(0)
