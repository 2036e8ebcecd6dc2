// What the C library offers beyond POSIX for starting processes, which Swift does not see.

#define _GNU_SOURCE
#include "CSpawn.h"

int cutbank_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int cutbank_spawn_change_folder(posix_spawn_file_actions_t *actions, const char *path) {
  return posix_spawn_file_actions_addchdir_np(actions, path);
}
