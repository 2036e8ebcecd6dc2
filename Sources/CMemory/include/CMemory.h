#ifndef CUTBANK_MEMORY_H
#define CUTBANK_MEMORY_H

#include <stddef.h>

/// Gives memory that was freed back to the system, as far as whole pages are free.
void cutbank_release_free_memory(void);

/// Sets how many bytes are reserved for the stack of each thread that is made from now on.
///
/// Returns 0, or an errno.
int cutbank_set_stack_size(size_t bytes);

#endif
