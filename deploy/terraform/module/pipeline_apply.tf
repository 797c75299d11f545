# What a plan has to read, and what an apply may change: names of this environment, this region, roles within the
# boundary, and never the pipeline's own roles. The first apply is made by a person.

locals {
  mine = {
    arn     = "arn:${local.partition}"
    here    = "${local.region}:${local.account}"
    roles   = "arn:${local.partition}:iam::${local.account}:role/${local.name}-*"
    secrets = "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.name}/*"
  }
  # By service: what is changed, and where.
  changes = {
    Network     = { actions = ["ec2:*"], on = ["arn:${local.partition}:ec2:${local.mine.here}:*"] }
    Balancer    = { actions = ["elasticloadbalancing:*"], on = [for kind in ["loadbalancer/app", "targetgroup", "listener/app"] : "${local.mine.arn}:elasticloadbalancing:${local.mine.here}:${kind}/${local.name}/*"] }
    Service     = { actions = ["ecs:*"], on = [for kind in ["cluster", "service", "task", "task-definition"] : "${local.mine.arn}:ecs:${local.mine.here}:${kind}/${local.name}*"] }
    Scaling     = { actions = ["application-autoscaling:*"], on = ["${local.mine.arn}:application-autoscaling:${local.mine.here}:scalable-target/*"] }
    Ledger      = { actions = ["rds:*"], on = [for kind in ["db", "subgrp", "pg", "snapshot"] : "${local.mine.arn}:rds:${local.mine.here}:${kind}:${local.name}*"] }
    Images      = { actions = ["ecr:*"], on = ["${local.mine.arn}:ecr:${local.mine.here}:repository/${local.name}"] }
    Buckets     = { actions = ["s3:*"], on = ["${local.mine.arn}:s3:::${local.name}-artefacts-${local.account}", "${local.mine.arn}:s3:::${local.name}-logs-${local.account}"] }
    Logs        = { actions = ["logs:*"], on = [for name in ["/${local.name}/*", "aws-waf-logs-${local.name}/*"] : "${local.mine.arn}:logs:${local.mine.here}:log-group:${name}"] }
    Secrets     = { actions = ["secretsmanager:*"], on = [local.mine.secrets] }
    Alarms      = { actions = ["cloudwatch:*"], on = ["${local.mine.arn}:cloudwatch:${local.mine.here}:alarm:${local.name}-*"] }
    Topic       = { actions = ["sns:*"], on = ["${local.mine.arn}:sns:${local.mine.here}:${local.name}-*"] }
    Firewall    = { actions = ["wafv2:*"], on = ["${local.mine.arn}:wafv2:${local.mine.here}:regional/webacl/${local.name}/*", "${local.mine.arn}:wafv2:${local.mine.here}:regional/managedruleset/*"] }
    Names       = { actions = ["route53:ChangeResourceRecordSets"], on = ["${local.mine.arn}:route53:::hostedzone/${var.zone_id}"] }
    Certificate = { actions = ["acm:*"], on = ["${local.mine.arn}:acm:${local.mine.here}:certificate/*"] }
    Key         = { actions = ["kms:*"], on = [aws_kms_key.this.arn, aws_kms_alias.this.arn] }
    State       = { actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], on = ["${local.state}/${local.state_key}", "${local.state}/${local.state_key}.tflock"] }
  }
}

data "aws_iam_policy_document" "read" {
  # These know no resource, and none of them reads content.
  statement {
    sid = "Describe"
    actions = [
      "acm:ListCertificates", "application-autoscaling:Describe*", "ec2:DescribeAddresses", "ec2:DescribeFlowLogs",
      "ec2:DescribeInternetGateways", "ec2:DescribeNatGateways", "ec2:DescribeNetworkAcls", "ec2:DescribeNetworkInterfaces",
      "ec2:DescribePrefixLists", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
      "ecr:DescribeRegistry", "ecs:DescribeTaskDefinition", "elasticloadbalancing:Describe*", "iam:ListOpenIDConnectProviders",
      "kms:ListAliases", "logs:DescribeLogGroups", "route53:ListHostedZones", "secretsmanager:GetRandomPassword",
      "sns:GetSubscriptionAttributes", "wafv2:ListWebACLs",
    ]
    resources = ["*"]
  }

  statement {
    sid = "DescribeInTheAccount"
    actions = [
      "acm:DescribeCertificate", "acm:ListTagsForCertificate", "application-autoscaling:ListTagsForResource",
      "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource", "ec2:DescribeAddressesAttribute",
      "ec2:DescribeVpcAttribute", "ec2:GetManagedPrefixListEntries", "ecr:Describe*", "ecr:GetLifecyclePolicy",
      "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource", "ecs:Describe*", "ecs:ListTagsForResource",
      "iam:GetOpenIDConnectProvider", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies",
      "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags", "logs:ListTagsForResource",
      "rds:Describe*", "rds:ListTagsForResource", "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
      "sns:GetTopicAttributes", "sns:ListTagsForResource", "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL",
      "wafv2:GetWebACLForResource", "wafv2:ListTagsForResource",
    ]
    resources = ["arn:${local.partition}:*:*:${local.account}:*"]
  }

  statement {
    sid       = "DescribeNames"
    actions   = ["route53:GetChange", "route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource"]
    resources = ["arn:${local.partition}:route53:::hostedzone/${var.zone_id}", "arn:${local.partition}:route53:::change/*"]
  }

  statement {
    sid = "DescribeBuckets"
    actions = [
      "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration", "s3:ListBucket",
    ]
    resources = [for bucket in values(local.buckets) : bucket.arn]
  }

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["${local.state}/${local.state_key}"]
  }

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"]
    resources = [local.state]
  }

  # A plan opens the ledger's password, which passes through it; the database itself is out of reach from there.
  statement {
    sid       = "ReadPassword"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.mine.secrets]
  }

  statement {
    sid       = "DecryptPassword"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

data "aws_iam_policy_document" "apply" {
  dynamic "statement" {
    for_each = local.changes

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.on
    }
  }

  statement {
    sid       = "RolesWithinTheBoundary"
    actions   = ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    resources = [local.mine.roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid       = "RolesOtherwise"
    actions   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription"]
    resources = [local.mine.roles]
  }

  statement {
    sid       = "HandRolesToServices"
    actions   = ["iam:PassRole"]
    resources = [local.mine.roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com", "monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
    }
  }

  statement {
    sid       = "NotThePipelinesOwn"
    effect    = "Deny"
    actions   = ["iam:Create*", "iam:Put*", "iam:Delete*", "iam:Attach*", "iam:Detach*", "iam:Update*", "iam:Tag*", "iam:Untag*"]
    resources = [for what in keys(local.runs) : "arn:${local.partition}:iam::${local.account}:role/${local.name}-${what}"]
  }
}

resource "aws_iam_role_policy" "read" {
  for_each = toset([for what in keys(local.runs) : what if what != "publish"])
  name     = "read"
  role     = aws_iam_role.pipeline[each.key].id
  policy   = data.aws_iam_policy_document.read.json
}

resource "aws_iam_role_policy" "apply" {
  for_each = toset([for what in keys(local.runs) : what if what == "apply"])
  name     = "apply"
  role     = aws_iam_role.pipeline[each.key].id
  policy   = data.aws_iam_policy_document.apply.json
}
