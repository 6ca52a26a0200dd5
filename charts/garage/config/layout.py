"""Gives Garage's nodes their role in the cluster's layout, once, and creates the buckets with their keys.

The layout's version goes up with each apply, so nothing is applied while every node has the role that it should have.
"""

import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

URL = os.environ["GARAGE_ADMIN_URL"]
TOKEN = os.environ["GARAGE_ADMIN_TOKEN"]
SECRETS = pathlib.Path(os.environ.get("SECRETS", "/run/secrets/garage"))
UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def call(operation, body=None, missing_is_none=False):
    """Calls an operation of the administration API, version 2; with a body, by POST."""
    request = urllib.request.Request(
        f"{URL}/v2/{operation}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if missing_is_none and error.code == 404:
            return None
        sys.exit(f"garage: {operation} answered {error.code}: {error.read().decode(errors='replace')}")
    except urllib.error.URLError as error:
        sys.exit(f"garage: {URL} cannot be reached: {error.reason}")


def lay_out(capacity):
    """Assigns every node that is up the given capacity, in bytes, and applies the layout if that changed it."""
    layout = call("GetClusterLayout")
    roles = {role["id"]: role for role in layout["roles"]}
    wanted = [
        {"id": node["id"], "zone": "home", "capacity": capacity, "tags": []}
        for node in call("GetClusterStatus")["nodes"]
        if node["isUp"]
    ]
    if not wanted:
        sys.exit("garage: no node is up yet")
    changed = [role for role in wanted if (roles.get(role["id"]) or {}).get("capacity") != role["capacity"]]
    if not changed:
        print(f"layout: version {layout['version']} is in place")
        return
    call("UpdateClusterLayout", {"roles": changed})
    call("ApplyClusterLayout", {"version": layout["version"] + 1})
    print(f"layout: applied version {layout['version'] + 1}")


def create_bucket(name):
    """Creates a bucket, its key, and the key's right to read and write it."""
    bucket = call(f"GetBucketInfo?globalAlias={name}", missing_is_none=True)
    if bucket is None:
        bucket = call("CreateBucket", {"globalAlias": name})
        print(f"bucket {name}: created")
    key = "GK" + (SECRETS / f"{name}-key").read_text().strip()
    if call(f"GetKeyInfo?id={key}", missing_is_none=True) is None:
        secret = (SECRETS / f"{name}-secret").read_text().strip()
        call("ImportKey", {"name": name, "accessKeyId": key, "secretAccessKey": secret})
        print(f"bucket {name}: imported its key")
    permissions = {"read": True, "write": True, "owner": False}
    call("AllowBucketKey", {"bucketId": bucket["id"], "accessKeyId": key, "permissions": permissions})


size = os.environ["CAPACITY"]
lay_out(int(size[:-2]) * UNITS[size[-2:]])
for bucket_name in os.environ["BUCKETS"].split():
    create_bucket(bucket_name)
