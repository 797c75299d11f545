# Identifiers of the shapes that the provider asks for.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_region" {
  defaults = { name = "sa-east-1" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_prefix_list" {
  defaults = { id = "pl-0123456789" }
}

mock_data "aws_iam_policy_document" {
  defaults = { json = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }
}

mock_resource "aws_kms_key" {
  defaults = {
    arn = "arn:aws:kms:sa-east-1:123456789012:key/k"
  }
}

mock_resource "aws_iam_role" {
  defaults = {
    arn = "arn:aws:iam::123456789012:role/r"
  }
}

mock_resource "aws_iam_policy" {
  defaults = {
    arn = "arn:aws:iam::123456789012:policy/p"
  }
}

mock_resource "aws_lb" {
  defaults = {
    arn = "arn:aws:elasticloadbalancing:sa-east-1:123456789012:loadbalancer/app/a/1"
  }
}

mock_resource "aws_lb_target_group" {
  defaults = {
    arn = "arn:aws:elasticloadbalancing:sa-east-1:123456789012:targetgroup/a/1"
  }
}

mock_resource "aws_acm_certificate" {
  defaults = {
    arn                       = "arn:aws:acm:sa-east-1:123456789012:certificate/c"
    domain_validation_options = [{ domain_name = "delays.example.org", resource_record_name = "_x.delays.example.org", resource_record_type = "CNAME", resource_record_value = "y" }]
  }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = {
    arn = "arn:aws:logs:sa-east-1:123456789012:log-group:g"
  }
}

mock_resource "aws_wafv2_web_acl" {
  defaults = {
    arn = "arn:aws:wafv2:sa-east-1:123456789012:regional/webacl/w/1"
  }
}

mock_resource "aws_sns_topic" {
  defaults = {
    arn = "arn:aws:sns:sa-east-1:123456789012:t"
  }
}

mock_resource "aws_ecr_repository" {
  defaults = {
    arn = "arn:aws:ecr:sa-east-1:123456789012:repository/r"
  }
}

mock_resource "aws_s3_bucket" {
  defaults = {
    arn = "arn:aws:s3:::b"
  }
}

mock_resource "aws_ecs_task_definition" {
  defaults = {
    arn = "arn:aws:ecs:sa-east-1:123456789012:task-definition/t:1"
  }
}

mock_resource "aws_acm_certificate_validation" {
  defaults = {
    certificate_arn = "arn:aws:acm:sa-east-1:123456789012:certificate/c"
  }
}

mock_resource "aws_db_instance" {
  defaults = {
    address = "ledger.example"
  }
}
