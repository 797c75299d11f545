"""What moto takes and does not tell again, or has no call for, so that it answers as AWS does.

Only what this project's configuration asks of it. Without these every plan would show a drift that AWS has not.
"""

import json
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Scaling
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.responses import EC2ContainerServiceResponse as Containers
from moto.rds.models import DBInstance, DBParameterGroup
from moto.s3.responses import S3Response


def close() -> None:
    """Close all gaps."""
    # Composite alarms are kept, listed and deleted; the one call that makes them is missing.
    if not hasattr(CloudWatchResponse, "put_composite_alarm"):
        CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm
    _tags_of_scalable_targets()
    _what_a_security_groups_rule_is_for()
    _settings_of_a_service()
    _settings_of_a_database()
    _events_of_a_bucket()


def _tags_of_scalable_targets() -> None:
    tags: dict[str, dict[str, str]] = {}
    register = Scaling.register_scalable_target

    def remember(self: Scaling) -> str:
        answer = register(self)
        tags.setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(self._get_param("Tags") or {})
        return answer

    if not hasattr(Scaling, "list_tags_for_resource"):
        Scaling.register_scalable_target = remember
        Scaling.list_tags_for_resource = lambda self: json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})


def _what_a_security_groups_rule_is_for() -> None:
    """It is kept where the rule names addresses, and lost where it names a group or a list."""
    begin = SecurityGroupRule.__init__

    def keep(self: SecurityGroupRule, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        held = [one for one in (*args, *named.values()) if isinstance(one, dict) and "Description" in one]
        self.said = held[0]["Description"] if held else None

    SecurityGroupRule.__init__ = keep
    SecurityGroupRule.description = property(lambda self: self.said)


def _settings_of_a_service() -> None:
    create = Containers.create_service

    def keep(self: Containers) -> ActionResult:
        answer = create(self)
        service = answer.result["service"]
        service.health_check_grace_period_seconds = self._get_int_param("healthCheckGracePeriodSeconds")
        service.availability_zone_rebalancing = self._get_param("availabilityZoneRebalancing")
        return answer

    Containers.create_service = keep


def _settings_of_a_database() -> None:
    begin, update = DBInstance.__init__, DBParameterGroup.update_parameters

    def keep(self: DBInstance, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        self.performance_insights_enabled = named.get("enable_performance_insights", False)
        self.performance_insights_kms_key_id = named.get("performance_insights_kms_key_id")

    def as_users_own(self: DBParameterGroup, parameters: list[dict[str, Any]]) -> None:
        update(self, [{**parameter, "Source": "user"} for parameter in parameters])

    DBInstance.__init__ = keep
    DBParameterGroup.update_parameters = as_users_own


def _events_of_a_bucket() -> None:
    tell = S3Response.get_bucket_notification

    def with_event_bridge(self: S3Response) -> Any:
        kept = self.backend.get_bucket_notification_configuration(self.bucket_name)
        if kept is None or kept.event_bridge is None:
            return tell(self)
        self.data["Action"] = "GetBucketNotificationConfiguration"
        return self.serialized(ActionResult({"EventBridgeConfiguration": {}}))

    S3Response.get_bucket_notification = with_event_bridge
