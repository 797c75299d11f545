# Workflows show GitHub's signed word who they are and get a role for an hour; no key is kept anywhere. Each role is
# for one kind of run: a plan for pull requests, an image for tags, an apply for the approved environment.

locals {
  github = "token.actions.githubusercontent.com"
  runs = var.pipeline == null ? {} : {
    plan    = "pull_request"
    publish = "ref:refs/tags/v*"
    apply   = "environment:${var.environment}"
  }
  provider_arn = "arn:${local.partition}:iam::${local.account}:oidc-provider/${local.github}"
  state        = var.pipeline == null ? "" : "arn:${local.partition}:s3:::${var.pipeline.state_bucket}"
  state_key    = "atraso/${var.environment}.tfstate"
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.pipeline != null && var.create_oidc_provider ? 1 : 0
  url            = "https://${local.github}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "by_run" {
  for_each = local.runs

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.github}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringLike"
      variable = "${local.github}:sub"
      values   = ["repo:${var.pipeline.owner}/${var.pipeline.repository}:${each.value}"]
    }
  }
}

resource "aws_iam_role" "pipeline" {
  for_each             = local.runs
  name                 = "${local.name}-${each.key}"
  description          = "Workflows of ${var.pipeline.owner}/${var.pipeline.repository}: ${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.by_run[each.key].json
  max_session_duration = 3600
  depends_on           = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "publish" {
  for_each = toset([for what in keys(local.runs) : what if what == "publish"])
  name     = "publish"
  role     = aws_iam_role.pipeline[each.key].id
  policy   = data.aws_iam_policy_document.publish.json
}

data "aws_iam_policy_document" "publish" {
  statement {
    sid       = "LogInToImages"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "PushImages"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [aws_ecr_repository.this.arn]
  }

  statement {
    sid       = "KeepReleases"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.artefacts.arn}/models/*", "${aws_s3_bucket.artefacts.arn}/releases/*"]
  }

  statement {
    sid       = "EncryptThem"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}
