variable "env" {
  type    = string
  default = "test"
}
variable "limit" {
  default = 10
}
locals {
  prefix = "${var.env}-sensors"
}
resource "aws_kinesis_stream" "input" {
  name        = "${local.prefix}-in"
  shard_count = 1
}
/* first generation */
resource "aws_kinesis_analytics_application" "old" {
  name = "old-${var.env}"
  code = file("${path.module}/old.sql")
  inputs {
    name_prefix = "SOURCE_SQL_STREAM"
    kinesis_stream {
      resource_arn = aws_kinesis_stream.input.arn
      role_arn     = aws_iam_role.role.arn
    }
    parallelism { count = 1 }
    schema {
      record_columns {
        mapping  = "$.a"
        name     = "a"
        sql_type = "INTEGER"
      }
      record_columns {
        name     = "b"
        sql_type = "VARCHAR(4)"
        mapping  = "$.b"
      }
      record_encoding = "UTF-8"
      record_format {
        mapping_parameters {
          json { record_row_path = "$" }
        }
      }
    }
  }
  outputs {
    name = "DESTINATION_SQL_STREAM"
    schema { record_format_type = "CSV" }
    kinesis_firehose {
      resource_arn = "${aws_kinesis_firehose_delivery_stream.out.arn}"
      role_arn = aws_iam_role.role.arn
    }
  }
  tags = {
    Team = "sensors" # who
  }
}
resource "aws_kinesisanalyticsv2_application" "new" {
  name                   = "new-app"
  runtime_environment    = "SQL-1_0"
  service_execution_role = aws_iam_role.role.arn

  application_configuration {
    application_code_configuration {
      code_content {
        text_content = <<-SQL
          CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("a" INTEGER);
          CREATE OR REPLACE PUMP "P" AS INSERT INTO "DESTINATION_SQL_STREAM"
            SELECT STREAM "a" FROM "SOURCE_SQL_STREAM_001" WHERE "a" > ${var.limit};
        SQL
      }
      code_content_type = "PLAINTEXT"
    }
    sql_application_configuration {
      input {
        name_prefix = "SOURCE_SQL_STREAM"
        input_schema {
          record_column {
            name     = "a"
            sql_type = "INTEGER"
          }
          record_format {
            record_format_type = "CSV"
            mapping_parameters {
              csv_mapping_parameters {
                record_column_delimiter = "|"
                record_row_delimiter    = "\n"
              }
            }
          }
        }
        kinesis_firehose_input { resource_arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/raw" }
        input_starting_position_configuration { input_starting_position = "LAST_STOPPED_POINT" }
      }
      output {
        name = "DESTINATION_SQL_STREAM"
        destination_schema { record_format_type = "JSON" }
        kinesis_streams_output { resource_arn = data.aws_kinesis_stream.out.arn }
      }
    }
  }
}
