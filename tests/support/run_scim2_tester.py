"""scim2-tester against the bridge whose URL is the argument; standard input holds the token.

Prints a line of JSON for each check. The tester fills resources at random; what the bridge asks of
a person beyond the schema is given here as the examples that the tester prefers: an e-mail address
as userName, and to be active, because nobody is invited who may not come in. The tester expects
of a group's members exactly what it sent, so it is told the name that the bridge shows beside each.
"""

import itertools
import json
import sys
from collections.abc import Sequence

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server, filling


class Addresses(Sequence):
    """A list of one example, which is another one each time."""

    numbers = itertools.count(1)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return f"tester{next(self.numbers)}@example.com"


def name_members(context, member, fill=filling._fix_ref_value):
    """Completes what refers to a person with the name of that person."""
    fill(context, member)
    for person in context.resource_manager.resources:
        if hasattr(member, "display") and person.meta.location == getattr(member, "ref", None):
            member.display = person.user_name.split("@")[0]


filling._fix_ref_value = name_members

headers = {"Authorization": f"Bearer {sys.stdin.readline().strip()}"}
client = SyncSCIMClient(Client(base_url=sys.argv[1], headers=headers, timeout=60))
client.discover()
user = client.get_resource_model("User")
user.model_fields["user_name"].examples = Addresses()
user.model_fields["active"].examples = [True]

for result in check_server(client):
    line = {
        "status": result.status.name,
        "resource": result.resource_type,
        "check": result.title,
        "reason": result.reason,
    }
    print(json.dumps(line))
