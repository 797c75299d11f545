"""Answers as AWS does, on loopback, until standard input ends: `python aws.py STATE_BUCKET DOMAIN`.

Prints one line of JSON: the port, and the identifier of the hosted zone that was made for DOMAIN. Run by the
environment of requirements-terraform.txt, not by the project's.
"""

import json
import os
import sys

import boto3
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Scaling
from moto.cloudwatch.responses import CloudWatchResponse
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

REGION = "sa-east-1"


def complete() -> None:
    """Add the calls that moto lacks and this configuration makes, so that they answer as AWS does."""
    # moto keeps, lists and deletes composite alarms, and lacks the one call that makes them.
    if not hasattr(CloudWatchResponse, "put_composite_alarm"):
        CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm
    # It forgets what a scalable target was tagged with, and cannot be asked for it.
    if not hasattr(Scaling, "list_tags_for_resource"):
        tags: dict[str, dict[str, str]] = {}
        register = Scaling.register_scalable_target

        def remember(self: Scaling) -> str:
            answer = register(self)
            tags.setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(self._get_param("Tags") or {})
            return answer

        Scaling.register_scalable_target = remember
        Scaling.list_tags_for_resource = lambda self: json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})
    # It keeps what a rule of a security group is for where the rule names addresses, and loses it with the others.
    begin = SecurityGroupRule.__init__

    def keep(self: SecurityGroupRule, *args: object, **named: object) -> None:
        begin(self, *args, **named)
        held = [one for one in (*args, *named.values()) if isinstance(one, dict) and "Description" in one]
        self.said = held[0]["Description"] if held else None

    SecurityGroupRule.__init__ = keep
    SecurityGroupRule.description = property(lambda self: self.said)


def main(bucket: str, domain: str) -> None:
    """Serve until nobody holds standard input open any more."""
    complete()
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
