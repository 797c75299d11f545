# The database's password: made by Secrets Manager, kept there, and read back for the database, so that both have the
# same one even where an apply ends half-way. It passes through, and stays in no state and no plan.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "name" {
  description = "Name of the secret."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts it."
  type        = string
}

variable "revision" {
  description = "Another number makes another password."
  type        = number
}

variable "recovery_days" {
  description = "Days in which a deleted secret can be had back; 0 is none."
  type        = number
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:Changed by raising database_password_version: a change that tasks do not know of would cut them off
  name                    = var.name
  description             = "Password of the ledger's database"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_days
}

ephemeral "aws_secretsmanager_random_password" "fresh" {
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.fresh.random_password
  secret_string_wo_version = var.revision
}

ephemeral "aws_secretsmanager_secret_version" "kept" {
  secret_id  = aws_secretsmanager_secret_version.this.secret_id
  version_id = aws_secretsmanager_secret_version.this.version_id
}

output "password" {
  description = "The password, for a write-only argument."
  value       = ephemeral.aws_secretsmanager_secret_version.kept.secret_string
  ephemeral   = true
}

output "secret_arn" {
  description = "ARN of the secret."
  value       = aws_secretsmanager_secret.this.arn
}

output "version_id" {
  description = "Which of its versions is meant; another one replaces the tasks."
  value       = aws_secretsmanager_secret_version.this.version_id
}
