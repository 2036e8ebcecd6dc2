// librdkafka's mock brokers always bind 127.0.0.1:0. This `bind`, found before the C library's
// because it stands in the executable, replaces port 0 on the one thread that is creating a broker
// with fixed ports.

#define _GNU_SOURCE
#include "CEmbeddedBroker.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

static _Thread_local const uint16_t *fixed_ports;
static _Thread_local int fixed_count;
static _Thread_local int fixed_used;
static _Thread_local int fixed_error;

void cutbank_fixed_ports_begin(const uint16_t *ports, int count) {
  fixed_ports = ports;
  fixed_count = count;
  fixed_used = 0;
  fixed_error = 0;
}

int cutbank_fixed_ports_end(int *used) {
  *used = fixed_used;
  fixed_ports = NULL;
  fixed_count = 0;
  return fixed_error;
}

typedef int (*bind_function)(int, const struct sockaddr *, socklen_t);

static int system_bind(int socket, const struct sockaddr *address, socklen_t length) {
  bind_function next = (bind_function)dlsym(RTLD_NEXT, "bind");
  if (next == NULL) {
    errno = ENOSYS;
    return -1;
  }
  return next(socket, address, length);
}

__attribute__((visibility("default"))) int bind(
    int socket, const struct sockaddr *address, socklen_t length) {
  if (fixed_used >= fixed_count || address == NULL || address->sa_family != AF_INET ||
      length < (socklen_t)sizeof(struct sockaddr_in)) {
    return system_bind(socket, address, length);
  }
  struct sockaddr_in fixed;
  memcpy(&fixed, address, sizeof fixed);
  if (fixed.sin_port != 0) {
    return system_bind(socket, address, length);
  }
  fixed.sin_port = htons(fixed_ports[fixed_used++]);
  // A broker that is started again must not wait for connections of the one before in TIME_WAIT.
  int on = 1;
  if (setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      system_bind(socket, (const struct sockaddr *)&fixed, sizeof fixed) == 0) {
    return 0;
  }
  // librdkafka 2.0.2 aborts the process when a mock broker cannot bind: let it have any port, and
  // tell the caller, who gives the cluster up.
  fixed_error = errno;
  fixed_count = 0;
  return system_bind(socket, address, length);
}
