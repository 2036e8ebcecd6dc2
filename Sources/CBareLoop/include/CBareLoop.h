#ifndef CUTBANK_BARE_LOOP_H
#define CUTBANK_BARE_LOOP_H

/* Consumes `total` records of the partitions 0 to `partitions` - 1 of `input` and produces each as it
   is to `output`: what librdkafka alone can do, with so many threads, each with a consumer and a
   producer. Returns the seconds from the first record consumed to the last one acknowledged, or a
   negative number after an error. */
double cutbank_bare_loop(const char *brokers, const char *input, const char *output, int partitions,
                         long total, int threads, int fetch_wait_ms);

/* How many records the loop that runs has consumed. */
long cutbank_bare_loop_consumed(void);

#endif
