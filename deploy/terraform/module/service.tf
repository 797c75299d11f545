resource "aws_cloudwatch_log_group" "service" {
  name              = "/${local.name}/service"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

locals {
  environment = merge(
    var.settings,
    {
      ATRASO_HOST                 = "0.0.0.0"
      ATRASO_PORT                 = tostring(var.port)
      ATRASO_METRICS_PORT         = tostring(var.metrics_port)
      ATRASO_WORKERS              = tostring(var.workers)
      ATRASO_AUTH                 = var.auth
      ATRASO_DATA                 = local.data
      TMPDIR                      = local.data # the only folder that can be written to
      ATRASO_LEDGER               = "spool"
      ATRASO_LEDGER_URL           = "postgresql://${aws_db_instance.ledger.username}@${aws_db_instance.ledger.address}:5432/${aws_db_instance.ledger.db_name}?sslmode=require"
      ATRASO_KEEP_ALIVE_TIMEOUT_S = "75" # above the balancer's idle_timeout
    },
    var.model == null ? {} : { ATRASO_MODEL = "${local.models}/${var.model.version}" },
  )
  secrets = merge(var.secrets, {
    # libpq takes it from there, so that no URL with a password is anywhere.
    PGPASSWORD = "${var.ledger_secret.arn}:::${var.ledger_secret.version_id}"
  })
  logging = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.service.name
      awslogs-region        = local.region
      awslogs-stream-prefix = "task"
      mode                  = "non-blocking" # a log that is stuck must not hold requests
      max-buffer-size       = "4m"
    }
  }
  confined = {
    readonlyRootFilesystem = true
    privileged             = false
    user                   = "10001:10001"
    linuxParameters        = { initProcessEnabled = false, capabilities = { add = [], drop = ["ALL"] } }
  }

  fetch = var.model == null ? [] : [merge(local.confined, {
    name             = "fetch"
    image            = var.model.fetch_image
    essential        = false
    user             = "0" # a volume that no image declares belongs to root; without capabilities, on a read-only root
    entryPoint       = ["aws"]
    command          = ["s3", "cp", "--recursive", "--only-show-errors", "s3://${aws_s3_bucket.artefacts.id}/models/${var.model.version}/", "${local.models}/${var.model.version}/"]
    environment      = [{ name = "HOME", value = local.models }]
    mountPoints      = [{ sourceVolume = "models", containerPath = local.models, readOnly = false }]
    logConfiguration = local.logging
  })]

  serve = merge(local.confined, {
    name         = "atraso"
    image        = var.image
    essential    = true
    portMappings = [{ containerPort = var.port, protocol = "tcp", name = "http" }]
    environment  = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    secrets      = [for name in sort(keys(local.secrets)) : { name = name, valueFrom = local.secrets[name] }]
    mountPoints = concat(
      [{ sourceVolume = "data", containerPath = local.data, readOnly = false }],
      [for _ in local.fetch : { sourceVolume = "models", containerPath = local.models, readOnly = true }],
    )
    dependsOn = [for before in local.fetch : { containerName = before.name, condition = "SUCCESS" }]
    healthCheck = {
      command     = ["CMD", "atraso-health"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }
    stopTimeout      = 30
    ulimits          = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
    logConfiguration = local.logging
  })
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mib
  execution_role_arn       = aws_iam_role.start.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode(concat(local.fetch, [local.serve]))
  track_latest             = false

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  dynamic "volume" {
    for_each = concat(["data"], var.model == null ? [] : ["models"])

    content {
      name = volume.value
    }
  }
}

resource "aws_ecs_service" "this" {
  name                               = local.name
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = var.min_tasks
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 30
  availability_zone_rebalancing      = "ENABLED"
  enable_execute_command             = false
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = var.wait_until_steady

  network_configuration {
    subnets          = aws_subnet.tasks[*].id
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = "atraso"
    container_port   = var.port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling's
  }

  depends_on = [aws_lb_listener.https, aws_iam_role_policy.start, aws_iam_role_policy.task, aws_vpc_endpoint.aws, aws_vpc_endpoint.s3]
}
