# Small: the same module as production with less of everything, so that what is rehearsed here happens there.
module "atraso" {
  source                    = "../module"
  environment               = "staging"
  domain_name               = var.domain_name
  zone_id                   = var.zone_id
  image                     = var.image
  zones                     = [for letter in ["a", "b"] : "${var.region}${letter}"]
  auth                      = var.auth
  settings                  = var.settings
  secrets                   = var.secrets
  egress                    = var.egress
  model                     = var.model
  alarm_emails              = var.alarm_emails
  pipeline                  = var.pipeline
  create_oidc_provider      = var.create_oidc_provider
  database_password_version = var.database_password_version
  protect                   = var.protect
  ledger_password           = module.password.password
  ledger_secret             = { arn = module.password.secret_arn, version_id = module.password.version_id }
  wait_until_steady         = var.wait_until_steady

  cpu            = 512
  memory_mib     = 1024
  min_tasks      = 2
  max_tasks      = 4
  database_class = "db.t4g.medium"
  database_gib   = 20
  backup_days    = 7
}

module "password" {
  source        = "../password"
  name          = "${module.atraso.name}/ledger"
  kms_key_arn   = module.atraso.kms_key_arn
  revision      = var.database_password_version
  recovery_days = var.protect ? 30 : 0
}
