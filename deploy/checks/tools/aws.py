"""Answers as AWS does, on loopback, until standard input ends: `python aws.py STATE_BUCKET DOMAIN`.

Prints one line of JSON: the port, and the identifier of the hosted zone that was made for DOMAIN. Run by the
environment of requirements-terraform.txt, not by the project's.
"""

import json
import os
import sys

import boto3
from gaps import close
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

REGION = "sa-east-1"


def main(bucket: str, domain: str) -> None:
    """Serve until nobody holds standard input open any more."""
    close()
    sys.stdout, told = sys.stderr, sys.stdout  # moto greets there
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    port = server.get_host_and_port()[1]
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    at = {"region_name": REGION, "endpoint_url": f"http://127.0.0.1:{port}"}
    boto3.client("s3", **at).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    zone = boto3.client("route53", **at).create_hosted_zone(Name=domain, CallerReference="once")["HostedZone"]["Id"]
    told.write(json.dumps({"port": port, "zone_id": zone.rpartition("/")[2]}) + "\n")
    told.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
