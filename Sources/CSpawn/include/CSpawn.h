#ifndef CUTBANK_SPAWN_H
#define CUTBANK_SPAWN_H

#include <spawn.h>

/// Lets a process that is started close every file from the number `first` on.
///
/// Returns 0, or an errno.
int cutbank_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// Lets a process that is started begin in the folder `path`.
///
/// Returns 0, or an errno.
int cutbank_spawn_change_folder(posix_spawn_file_actions_t *actions, const char *path);

#endif
