"""The same for Python: Lambda's runtime interface in plain http."""

import http.client
import json
import os

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    request_id = event.headers["lambda-runtime-aws-request-id"]
    json.loads(event.read())
    answer = json.dumps({"statusCode": 200, "body": "hello"})
    api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", answer)
    api.getresponse().read()
