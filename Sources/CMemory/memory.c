// glibc keeps what was freed below something that is in use; Swift does not see how to have it given back.

#include "CMemory.h"

#include <malloc.h>

void cutbank_release_free_memory(void) {
  malloc_trim(0);
}
