# The most that any role of this service can ever be given: whoever may apply, pipeline or not, cannot hand out more.

resource "aws_iam_policy" "boundary" {
  name        = "${local.name}-boundary"
  description = "The most that roles of ${local.name} can be allowed"
  policy      = data.aws_iam_policy_document.boundary.json
}

data "aws_iam_policy_document" "boundary" {
  statement {
    sid       = "LogInToImages"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "OfThisService"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", "logs:PutRetentionPolicy",
      "s3:GetObject", "s3:ListBucket",
    ]
    resources = [
      aws_ecr_repository.this.arn,
      "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/${local.name}/*",
      "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:RDS*",
      aws_s3_bucket.artefacts.arn,
      "${aws_s3_bucket.artefacts.arn}/*",
    ]
  }

  statement {
    sid       = "SecretsOfThisService"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = concat(["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.name}/*"], values(var.secrets))
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}
