#ifndef CUTBANK_MEMORY_H
#define CUTBANK_MEMORY_H

/// Gives memory that was freed back to the system, as far as whole pages are free.
void cutbank_release_free_memory(void);

#endif
