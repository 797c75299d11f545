# The objectives of src/atraso/slo/slo.yaml that the balancer can see, judged from outside: what clients get. A burn
# rate is measured over a long window, and over a short one so that the alarm ends soon after what caused it; both are
# joined by a composite alarm, which alone tells anybody. Objectives about what only the service knows (log-ins, golden
# answers, calibration, kept rows, age of model and news) are Prometheus's: deploy/monitoring/rules.

locals {
  availability = { target = 0.9995 }
  latencies = {
    latency-50ms  = { target = 0.99, within_s = 0.05 }
    latency-250ms = { target = 0.999, within_s = 0.25 }
  }
  # Times the allowed pace, and the windows: SRE workbook, chapter 5, table 5-8. The fourth, over three days, is longer
  # than CloudWatch's periods.
  burns = {
    fast = { rate = 14.4, long_s = 3600, short_s = 300, page = true }
    slow = { rate = 6, long_s = 21600, short_s = 1800, page = true }
    day  = { rate = 3, long_s = 86400, short_s = 7200, page = false }
  }
  windows = merge([
    for burn, its in local.burns : {
      "${burn}-long"  = { burn = burn, rate = its.rate, period_s = its.long_s }
      "${burn}-short" = { burn = burn, rate = its.rate, period_s = its.short_s }
    }
  ]...)
  latency_windows = merge([
    for slo, its in local.latencies : {
      for window, w in local.windows : "${slo}-${window}" => {
        within_s = its.within_s
        period_s = w.period_s
        # The share of slow answers is more than rate x (1 - target) just when this percentile is above the limit.
        percentile = format("p%.2f", 100 * (1 - w.rate * (1 - its.target)))
      }
    }
  ]...)
  pairs = merge([
    for slo in concat(["availability"], keys(local.latencies)) : {
      for burn, its in local.burns : "${slo}-${burn}" => its
    }
  ]...)
}

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_subscription" "emails" {
  for_each  = toset(var.alarm_emails)
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "availability" {
  for_each            = local.windows
  alarm_name          = "${local.name}-availability-${each.key}"
  alarm_description   = "Share of requests that got no answer, over ${each.value.period_s} s"
  comparison_operator = "GreaterThanThreshold"
  threshold           = tonumber(format("%.6f", each.value.rate * (1 - local.availability.target)))
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "share"
    expression  = "IF(FILL(service, 0) + FILL(balancer, 0) < 2, 0, (FILL(service, 0) + FILL(balancer, 0)) / all)" # one failure alone wakes nobody
    label       = "Requests that got no answer"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { service = "HTTPCode_Target_5XX_Count", balancer = "HTTPCode_ELB_5XX_Count", all = "RequestCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = aws_lb.this.arn_suffix }
        period      = each.value.period_s
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  for_each            = local.latency_windows
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.percentile} of answers over ${each.value.period_s} s"
  comparison_operator = "GreaterThanThreshold"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = { LoadBalancer = aws_lb.this.arn_suffix }
  extended_statistic  = each.value.percentile
  period              = each.value.period_s
  threshold           = each.value.within_s
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_composite_alarm" "burn" {
  for_each          = local.pairs
  alarm_name        = "${local.name}-${each.key}"
  alarm_description = "The error budget burns more than ${each.value.rate} times too fast: ${each.value.page ? "somebody gets up" : "it is looked at in working hours"} (docs/runbook.md)"
  alarm_rule        = "ALARM(\"${local.name}-${each.key}-long\") AND ALARM(\"${local.name}-${each.key}-short\")"
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]
  depends_on        = [aws_cloudwatch_metric_alarm.availability, aws_cloudwatch_metric_alarm.latency]
}

# --- what breaks before the objectives do ------------------------------------------------------------------------

locals {
  causes = {
    tasks = {
      says     = "Fewer healthy tasks than there must be", namespace = "AWS/ApplicationELB", metric = "HealthyHostCount", stat = "Minimum",
      operator = "LessThanThreshold", threshold = var.min_tasks, missing = "breaching",
      of       = { LoadBalancer = aws_lb.this.arn_suffix, TargetGroup = aws_lb_target_group.this.arn_suffix }
    }
    ledger-space = {
      says     = "Less than a tenth of the ledger's first storage is free", namespace = "AWS/RDS", metric = "FreeStorageSpace", stat = "Minimum",
      operator = "LessThanThreshold", threshold = var.database_gib * 107374182, missing = "breaching",
      of       = { DBInstanceIdentifier = aws_db_instance.ledger.identifier }
    }
    ledger-cpu = {
      says     = "The ledger's database is busy: spools grow", namespace = "AWS/RDS", metric = "CPUUtilization", stat = "Average",
      operator = "GreaterThanThreshold", threshold = 90, missing = "breaching",
      of       = { DBInstanceIdentifier = aws_db_instance.ledger.identifier }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "causes" {
  for_each            = local.causes
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.of
  statistic           = each.value.stat
  period              = 60
  evaluation_periods  = 5
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
