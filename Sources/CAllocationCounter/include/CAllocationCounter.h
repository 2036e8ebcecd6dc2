#ifndef CALLOCATIONCOUNTER_H
#define CALLOCATIONCOUNTER_H

#include <stdint.h>

/// Heap allocations made by the calling thread since it began; -1 where the C library offers no way to count.
int64_t cutbank_allocations(void);

/// Bytes of live heap blocks of the process; -1 where the C library does not say.
int64_t cutbank_live_bytes(void);

#endif
