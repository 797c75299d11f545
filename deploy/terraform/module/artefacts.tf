# Models by version below models/, and what each release was made of (wheel, SBOM) below releases/.

resource "aws_s3_bucket" "artefacts" {
  #checkov:skip=CKV_AWS_144:Artefacts can be trained again from the same data to the same checksum, and releases are in the image repository too
  bucket        = "${local.name}-artefacts-${local.account}"
  force_destroy = !var.protect
}

# Access logs of the balancer and of the other bucket.
resource "aws_s3_bucket" "logs" {
  #checkov:skip=CKV_AWS_144:Access logs of a lost region describe a service that is lost, too
  #checkov:skip=CKV_AWS_145:Load balancers deliver their logs only to buckets with the key of S3 itself
  bucket        = "${local.name}-logs-${local.account}"
  force_destroy = !var.protect
}

locals {
  buckets = { artefacts = aws_s3_bucket.artefacts, logs = aws_s3_bucket.logs }
}

resource "aws_s3_bucket_public_access_block" "artefacts" {
  bucket                  = aws_s3_bucket.artefacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Whoever wants to know of a new artefact subscribes in EventBridge.
resource "aws_s3_bucket_notification" "artefacts" {
  bucket      = aws_s3_bucket.artefacts.id
  eventbridge = true
}

resource "aws_s3_bucket_notification" "logs" {
  bucket      = aws_s3_bucket.logs.id
  eventbridge = true
}

resource "aws_s3_bucket_ownership_controls" "each" {
  for_each = local.buckets
  bucket   = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "artefacts" {
  bucket = aws_s3_bucket.artefacts.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "artefacts" {
  bucket = aws_s3_bucket.artefacts.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_logging" "artefacts" {
  bucket        = aws_s3_bucket.artefacts.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "artefacts/"
  depends_on    = [aws_s3_bucket_policy.logs] # which lets the logs in
}

resource "aws_s3_bucket_lifecycle_configuration" "artefacts" {
  bucket = aws_s3_bucket.artefacts.id

  rule {
    id     = "leftovers"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = 365
    }
  }

  depends_on = [aws_s3_bucket_versioning.artefacts]
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    id     = "a-year"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    expiration {
      days = 365
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  depends_on = [aws_s3_bucket_versioning.logs]
}

data "aws_iam_policy_document" "encrypted" {
  for_each = local.buckets

  statement {
    sid       = "EncryptedConnectionsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "logs" {
  source_policy_documents = [data.aws_iam_policy_document.encrypted["logs"].json]

  dynamic "statement" {
    for_each = { Balancer = "logdelivery.elasticloadbalancing.amazonaws.com", Bucket = "logging.s3.amazonaws.com" }

    content {
      sid       = "Deliver${statement.key}"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.logs.arn}/*"]

      principals {
        type        = "Service"
        identifiers = [statement.value]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "artefacts" {
  bucket     = aws_s3_bucket.artefacts.id
  policy     = data.aws_iam_policy_document.encrypted["artefacts"].json
  depends_on = [aws_s3_bucket_public_access_block.artefacts]
}

resource "aws_s3_bucket_policy" "logs" {
  bucket     = aws_s3_bucket.logs.id
  policy     = data.aws_iam_policy_document.logs.json
  depends_on = [aws_s3_bucket_public_access_block.logs]
}
