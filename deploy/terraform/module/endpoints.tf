# The doors to AWS: images, logs and secrets by private addresses, image layers and artefacts by a route to S3.

locals {
  doors = toset(["ecr.api", "ecr.dkr", "logs", "secretsmanager", "kms"])
}

resource "aws_vpc_endpoint" "aws" {
  for_each            = local.doors
  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = aws_subnet.tasks[*].id
  security_group_ids  = [aws_security_group.doors.id]
  private_dns_enabled = true
  tags                = { Name = "${local.name}-${each.key}" }
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.tasks.id]
  tags              = { Name = "${local.name}-s3" }
}

data "aws_prefix_list" "s3" {
  prefix_list_id = aws_vpc_endpoint.s3.prefix_list_id
}
