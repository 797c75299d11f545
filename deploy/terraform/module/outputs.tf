output "url" {
  description = "Where the service is reached."
  value       = "https://${var.domain_name}"
}

output "image_repository" {
  description = "Where images are pushed; name them by digest in image."
  value       = aws_ecr_repository.this.repository_url
}

output "name" {
  description = "What everything of this environment is called, or begins with."
  value       = local.name
}

output "kms_key_arn" {
  description = "Key of everything at rest."
  value       = aws_kms_key.this.arn
}

output "artefact_bucket" {
  description = "Bucket of models (models/VERSION/) and releases."
  value       = aws_s3_bucket.artefacts.id
}

output "alarm_topic" {
  description = "SNS topic of all alarms; subscribe your pager to it."
  value       = aws_sns_topic.alarms.arn
}

output "run_once" {
  description = "Arguments of `aws ecs run-task` for a task beside the service, such as one that makes a key."
  value = {
    cluster         = aws_ecs_cluster.this.name
    task_definition = aws_ecs_task_definition.this.arn
    subnets         = aws_subnet.tasks[*].id
    security_group  = aws_security_group.tasks.id
    log_group       = aws_cloudwatch_log_group.service.name
  }
}

output "pipeline_roles" {
  description = "Roles that the workflows take on, by what they are for."
  value       = { for what, role in aws_iam_role.pipeline : what => role.arn }
}
