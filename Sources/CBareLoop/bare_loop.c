#include "CBareLoop.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { BATCH = 1024 };

static _Atomic long consumed;

long cutbank_bare_loop_consumed(void) { return atomic_load(&consumed); }

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static rd_kafka_t *make(rd_kafka_type_t type, const char *brokers) {
  char reason[256];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
  if (type == RD_KAFKA_CONSUMER) {
    rd_kafka_conf_set(conf, "group.id", "bare-loop", NULL, 0);
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
    rd_kafka_conf_set(conf, "queued.max.messages.kbytes", "16384", NULL, 0);
  } else {
    rd_kafka_conf_set(conf, "enable.idempotence", "true", NULL, 0);
    rd_kafka_conf_set(conf, "delivery.report.only.error", "true", NULL, 0);
  }
  rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof reason);
  if (client == NULL) fprintf(stderr, "bare loop: %s\n", reason);
  return client;
}

static void copy_batch(rd_kafka_t *producer, rd_kafka_topic_t *topic, rd_kafka_message_t **batch,
                       long count) {
  for (long index = 0; index < count; index++) {
    rd_kafka_message_t *record = batch[index];
    if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, record->payload,
                              record->len, NULL, 0, NULL) != 0 &&
             rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(producer, 1);
      }
      atomic_fetch_add(&consumed, 1);
    }
    rd_kafka_message_destroy(record);
  }
}

double cutbank_bare_loop(const char *brokers, const char *input, const char *output, int partitions,
                         long total) {
  atomic_store(&consumed, 0);
  rd_kafka_t *consumer = make(RD_KAFKA_CONSUMER, brokers);
  rd_kafka_t *producer = make(RD_KAFKA_PRODUCER, brokers);
  if (consumer == NULL || producer == NULL) return -1;
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, output, NULL);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
  for (int partition = 0; partition < partitions; partition++) {
    rd_kafka_topic_partition_list_add(list, input, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  rd_kafka_message_t *batch[BATCH];
  double start = 0;
  while (atomic_load(&consumed) < total) {
    long count = rd_kafka_consume_batch_queue(queue, 1000, batch, BATCH);
    if (count > 0 && start == 0) start = seconds();
    if (count > 0) copy_batch(producer, topic, batch, count);
    rd_kafka_poll(producer, 0);
  }
  rd_kafka_resp_err_t error = rd_kafka_flush(producer, 60000);
  double end = seconds();
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(topic);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  rd_kafka_destroy(producer);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? end - start : -1;
}
