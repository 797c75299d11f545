# What ECS needs to start a task, and what the task itself may do, are two roles.

data "aws_iam_policy_document" "by_tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "start" {
  name                 = "${local.name}-start"
  description          = "Starts tasks: fetches the image, writes logs, reads the secrets of this service"
  assume_role_policy   = data.aws_iam_policy_document.by_tasks.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role" "task" {
  name                 = "${local.name}-task"
  description          = "What the service itself may do in AWS: nothing, or read its artefact"
  assume_role_policy   = data.aws_iam_policy_document.by_tasks.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

data "aws_iam_policy_document" "start" {
  statement {
    sid       = "LogInToImages"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "FetchImages"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.this.arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.service.arn}:*"]
  }

  statement {
    sid       = "ReadSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = concat([var.ledger_secret.arn], values(var.secrets))
  }

  statement {
    sid       = "DecryptSecrets"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "start" {
  name   = "start"
  role   = aws_iam_role.start.id
  policy = data.aws_iam_policy_document.start.json
}

data "aws_iam_policy_document" "task" {
  count = var.model == null ? 0 : 1

  statement {
    sid       = "FindArtefact"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.artefacts.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["models/${var.model.version}/*"]
    }
  }

  statement {
    sid       = "ReadArtefact"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.artefacts.arn}/models/${var.model.version}/*"]
  }

  statement {
    sid       = "DecryptArtefact"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "task" {
  count  = length(data.aws_iam_policy_document.task)
  name   = "artefact"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task[0].json
}

# --- helpers of AWS itself --------------------------------------------------------------------------------------

data "aws_iam_policy_document" "by_service" {
  for_each = { flow = "vpc-flow-logs.amazonaws.com", monitoring = "monitoring.rds.amazonaws.com" }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "flow" {
  name                 = "${local.name}-flow"
  assume_role_policy   = data.aws_iam_policy_document.by_service["flow"].json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "flow" {
  name = "write"
  role = aws_iam_role.flow.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = "${aws_cloudwatch_log_group.flow.arn}:*"
    }]
  })
}

resource "aws_iam_role" "monitoring" {
  name                 = "${local.name}-monitoring"
  assume_role_policy   = data.aws_iam_policy_document.by_service["monitoring"].json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
