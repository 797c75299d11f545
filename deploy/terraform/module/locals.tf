data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_partition" "this" {}

locals {
  name      = "atraso-${var.environment}"
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.name
  partition = data.aws_partition.this.partition
  data      = "/data" # the service's folder in the image: spools, keys at hand
  models    = "/models"
}
