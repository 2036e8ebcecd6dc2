#include "CBareLoop.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { BATCH = 1024, MOST_THREADS = 64 };

static _Atomic long consumed;
/* When the first record was taken, nanoseconds; 0 before. */
static _Atomic long long begun;

/* What one thread copies: the partitions `first`, `first + step` and so on. */
struct share {
  const char *brokers, *input, *output, *fetch_wait;
  int partitions, first, step;
  long total;
  /* When its last record was acknowledged, nanoseconds; 0 after an error. */
  long long ended;
};

long cutbank_bare_loop_consumed(void) { return atomic_load(&consumed); }

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static rd_kafka_t *make(rd_kafka_type_t type, const char *brokers, const char *fetch_wait) {
  char reason[256];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
  if (type == RD_KAFKA_CONSUMER) {
    rd_kafka_conf_set(conf, "group.id", "bare-loop", NULL, 0);
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
    rd_kafka_conf_set(conf, "queued.max.messages.kbytes", "16384", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", fetch_wait, NULL, 0);
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

static void *copy_share(void *argument) {
  struct share *share = argument;
  rd_kafka_t *consumer = make(RD_KAFKA_CONSUMER, share->brokers, share->fetch_wait);
  rd_kafka_t *producer = make(RD_KAFKA_PRODUCER, share->brokers, share->fetch_wait);
  if (consumer == NULL || producer == NULL) {
    /* Nobody else reads its partitions: the others need not wait for them. */
    atomic_fetch_add(&consumed, share->total);
    return NULL;
  }
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, share->output, NULL);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(share->partitions);
  for (int partition = share->first; partition < share->partitions; partition += share->step) {
    rd_kafka_topic_partition_list_add(list, share->input, partition)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  rd_kafka_message_t *batch[BATCH];
  while (atomic_load(&consumed) < share->total) {
    long count = rd_kafka_consume_batch_queue(queue, 100, batch, BATCH);
    long long none = 0;
    if (count > 0) atomic_compare_exchange_strong(&begun, &none, nanoseconds());
    if (count > 0) copy_batch(producer, topic, batch, count);
    rd_kafka_poll(producer, 0);
  }
  if (rd_kafka_flush(producer, 60000) == RD_KAFKA_RESP_ERR_NO_ERROR) share->ended = nanoseconds();
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(topic);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  rd_kafka_destroy(producer);
  return NULL;
}

double cutbank_bare_loop(const char *brokers, const char *input, const char *output, int partitions,
                         long total, int threads, int fetch_wait_ms) {
  atomic_store(&consumed, 0);
  atomic_store(&begun, 0);
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  char fetch_wait[16];
  snprintf(fetch_wait, sizeof fetch_wait, "%d", fetch_wait_ms);
  struct share shares[MOST_THREADS];
  pthread_t handles[MOST_THREADS];
  int started = 0;
  for (; started < threads; started++) {
    shares[started] =
        (struct share){brokers, input, output, fetch_wait, partitions, started, threads, total, 0};
    if (pthread_create(&handles[started], NULL, copy_share, &shares[started]) != 0) break;
  }
  if (started < threads) atomic_fetch_add(&consumed, total);
  int failed = started < threads;
  long long ended = 0;
  for (int index = 0; index < started; index++) {
    pthread_join(handles[index], NULL);
    if (shares[index].ended == 0) failed = 1;
    if (shares[index].ended > ended) ended = shares[index].ended;
  }
  return failed ? -1 : 1e-9 * (double)(ended - atomic_load(&begun));
}
