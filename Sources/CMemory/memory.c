// What glibc offers beyond POSIX for memory, which Swift does not see: it keeps what was freed below something
// that is in use, and reserves 8 MiB for the stack of each thread.

#define _GNU_SOURCE
#include "CMemory.h"

#include <malloc.h>
#include <pthread.h>

void cutbank_release_free_memory(void) {
  malloc_trim(0);
}

int cutbank_set_stack_size(size_t bytes) {
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error != 0) return error;
  error = pthread_attr_setstacksize(&attributes, bytes);
  if (error == 0) error = pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  return error;
}
