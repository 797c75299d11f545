# What an installation has that says nothing but its name. Nothing is asked of AWS: resources get made-up identifiers.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  ledger_password = "of-the-test"
  ledger_secret   = { arn = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:s", version_id = "v1" }

  environment = "test"
  domain_name = "delays.example.org"
  zone_id     = "Z0123456789"
  image       = "123456789012.dkr.ecr.sa-east-1.amazonaws.com/atraso-test@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  zones       = ["sa-east-1a", "sa-east-1b", "sa-east-1c"]
}

run "defaults" {
  assert {
    condition     = length(aws_subnet.tasks) == 3 && length(distinct(concat(aws_subnet.public[*].cidr_block, aws_subnet.tasks[*].cidr_block, aws_subnet.database[*].cidr_block))) == 9
    error_message = "Each zone has three subnets, and no two share addresses."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0
    error_message = "Tasks lead nowhere beyond AWS unless egress says so."
  }

  assert {
    condition     = aws_ecs_service.this.network_configuration[0].assign_public_ip == false && aws_ecs_service.this.desired_count >= 2
    error_message = "At least two tasks, and none has a public address."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100 && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "Tasks are replaced without there being fewer, and a bad image is rolled back."
  }

  assert {
    condition = alltrue([
      for c in jsondecode(aws_ecs_task_definition.this.container_definitions) :
      c.readonlyRootFilesystem && !c.privileged && c.user == "10001:10001" && jsonencode(c.linuxParameters.capabilities.drop) == "[\"ALL\"]"
    ])
    error_message = "Every container has a read-only root, no privileges and uid 10001."
  }

  assert {
    condition = {
      for e in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : e.name => e.value
      if contains(["ATRASO_PORT", "ATRASO_AUTH", "ATRASO_LEDGER", "ATRASO_LEDGER_URL"], e.name)
      } == {
      ATRASO_PORT       = "5000", ATRASO_AUTH = "keys", ATRASO_LEDGER = "spool"
      ATRASO_LEDGER_URL = "postgresql://atraso@ledger.example:5432/atraso?sslmode=require"
    }
    error_message = "The service asks who calls, keeps what it answers, and its settings hold no password."
  }

  assert {
    condition     = { for s in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets : s.name => s.valueFrom } == { PGPASSWORD = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:s:::v1" }
    error_message = "The password comes from Secrets Manager, in the version that is meant."
  }

  assert {
    condition     = tonumber(one([for e in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : e.value if e.name == "ATRASO_KEEP_ALIVE_TIMEOUT_S"])) > aws_lb.this.idle_timeout
    error_message = "Tasks keep connections longer than the balancer, or it meets closed ones and answers 502."
  }

  assert {
    condition     = aws_db_instance.ledger.storage_encrypted && aws_db_instance.ledger.deletion_protection && aws_db_instance.ledger.backup_retention_period == 30 && aws_db_instance.ledger.multi_az && !aws_db_instance.ledger.publicly_accessible && !aws_db_instance.ledger.skip_final_snapshot
    error_message = "The ledger is encrypted, backed up, protected, doubled and private."
  }

  assert {
    condition     = contains([for p in aws_db_parameter_group.this.parameter : "${p.name}=${p.value}"], "rds.force_ssl=1")
    error_message = "The database refuses connections without TLS."
  }

  assert {
    condition     = alltrue([for b in [aws_s3_bucket_public_access_block.artefacts, aws_s3_bucket_public_access_block.logs] : b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets])
    error_message = "No bucket can be made public."
  }

  assert {
    condition     = alltrue([for v in [aws_s3_bucket_versioning.artefacts, aws_s3_bucket_versioning.logs] : v.versioning_configuration[0].status == "Enabled"])
    error_message = "Every bucket keeps earlier versions."
  }

  assert {
    condition     = aws_lb_listener.https.protocol == "HTTPS" && startswith(aws_lb_listener.https.ssl_policy, "ELBSecurityPolicy-TLS13") && aws_lb.this.enable_deletion_protection && aws_lb.this.drop_invalid_header_fields
    error_message = "Clients come by TLS 1.2 or newer, to a balancer that cannot be deleted by mistake."
  }

  assert {
    condition     = aws_lb_target_group.this.port == 5000 && aws_lb_target_group.this.health_check[0].path == "/health/ready"
    error_message = "Requests go to port 5000 of tasks that are ready."
  }

  assert {
    condition     = length(aws_iam_role_policy.task) == 0 && length(aws_iam_role.pipeline) == 0
    error_message = "The task may do nothing in AWS, and without a pipeline there are no roles for one."
  }

  assert {
    condition     = alltrue([for r in [aws_iam_role.start, aws_iam_role.task, aws_iam_role.flow, aws_iam_role.monitoring] : r.permissions_boundary == aws_iam_policy.boundary.arn])
    error_message = "No role can be given more than the boundary."
  }

  assert {
    condition     = aws_appautoscaling_policy.requests.target_tracking_scaling_policy_configuration[0].target_value == 120000 && aws_appautoscaling_target.this.min_capacity == 2
    error_message = "Two thousand requests a second and task are 120,000 a minute."
  }

  assert {
    condition = {
      for name, alarm in aws_cloudwatch_metric_alarm.latency : name => alarm.extended_statistic if strcontains(name, "fast")
      } == {
      latency-50ms-fast-long = "p85.60", latency-50ms-fast-short = "p85.60", latency-250ms-fast-long = "p98.56", latency-250ms-fast-short = "p98.56"
    }
    error_message = "14.4 times 1 % is 14.4 % of answers over 50 ms: the 85.6th percentile."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.availability["fast-long"].threshold == 0.0072 && aws_cloudwatch_metric_alarm.availability["slow-short"].threshold == 0.003
    error_message = "14.4 and 6 times the budget of 0.05 %."
  }

  assert {
    condition     = length(aws_cloudwatch_composite_alarm.burn) == 9 && alltrue([for a in aws_cloudwatch_composite_alarm.burn : length(a.alarm_actions) == 1])
    error_message = "Three objectives with three windows each tell somebody."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.tasks_from_balancer.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.database_from_tasks.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.tasks_from_balancer.from_port == 5000 && aws_vpc_security_group_ingress_rule.database_from_tasks.to_port == 5432
    error_message = "The balancer alone reaches tasks, and tasks alone reach the database, each on one port."
  }

  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.clients : r.from_port == 443 && r.to_port == 443]) && length(aws_vpc_security_group_egress_rule.tasks_beyond) == 0
    error_message = "Clients reach the balancer on 443 and nothing else."
  }

  assert {
    condition     = length(aws_default_security_group.none.ingress) == 0 && length(aws_default_security_group.none.egress) == 0
    error_message = "What names no security group can talk to nobody."
  }

  assert {
    condition     = aws_ecs_service.this.enable_execute_command == false
    error_message = "Nobody opens a shell in a task."
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this.resource_arn == aws_lb.this.arn && length([for rule in aws_wafv2_web_acl.this.rule : rule if length(rule.override_action[0].none) == 1]) == 2
    error_message = "Two sets of known attacks are refused before the balancer passes anything on."
  }

  assert {
    condition     = join(" ", sort(flatten([for field in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : field.single_header[*].name]))) == "authorization cookie"
    error_message = "No key, token or password comes into the firewall's log."
  }

  assert {
    condition     = !anytrue(concat(aws_wafv2_web_acl.this.visibility_config[*].sampled_requests_enabled, flatten([for rule in aws_wafv2_web_acl.this.rule : rule.visibility_config[*].sampled_requests_enabled])))
    error_message = "No request is kept as a sample: it would hold keys."
  }

  assert {
    condition     = alltrue([for doc in data.aws_iam_policy_document.encrypted : doc.statement[0].effect == "Deny" && one(doc.statement[0].condition).variable == "aws:SecureTransport"])
    error_message = "Buckets are reached by TLS only."
  }

  assert {
    condition     = aws_lb.this.access_logs[0].enabled && aws_flow_log.this.traffic_type == "ALL" && alltrue([for g in [aws_cloudwatch_log_group.service, aws_cloudwatch_log_group.flow, aws_cloudwatch_log_group.firewall] : g.kms_key_id == aws_kms_key.this.arn && g.retention_in_days >= 365])
    error_message = "Who came, and by which way, is known for a year, encrypted."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "The key is renewed, and an image that was pushed stays what it is and is looked through."
  }

  assert {
    condition     = alltrue([for doc in concat([data.aws_iam_policy_document.by_tasks], values(data.aws_iam_policy_document.by_service)) : one(doc.statement[0].condition).variable == "aws:SourceAccount"])
    error_message = "Roles are given to services that act for this account, and for no other."
  }

  assert {
    condition     = join(" ", flatten([for s in data.aws_iam_policy_document.start.statement : s.sid if contains(s.resources, "*")])) == "LogInToImages"
    error_message = "What starts tasks reads the images, secrets and logs of this service alone."
  }
}
