data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_partition" "this" {}

locals {
  name      = "atraso-${var.environment}"
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.name
  partition = data.aws_partition.this.partition
  data      = "/var/lib/atraso" # the service's folder in the container: spools, keys at hand
  models    = "/models"
}
