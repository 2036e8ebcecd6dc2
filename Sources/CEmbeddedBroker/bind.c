// librdkafka's mock brokers always bind 127.0.0.1:0, and bind anew when a broker goes down. This
// `bind`, found before the C library's because it stands in the executable, gives the listeners of
// the one thread that is creating brokers fixed ports, and keeps the ports for them.

#define _GNU_SOURCE
#include "CEmbeddedBroker.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Thread_local cutbank_listeners *current;

void cutbank_listeners_begin(cutbank_listeners *listeners) {
  listeners->bound = 0;
  listeners->error = 0;
  for (int i = 0; i < listeners->count; i++) {
    listeners->reservations[i] = -1;
  }
  current = listeners;
}

void cutbank_listeners_end(void) {
  current = NULL;
}

typedef int (*bind_function)(int, const struct sockaddr *, socklen_t);

static int system_bind(int socket, const void *address, socklen_t length) {
  bind_function next = (bind_function)dlsym(RTLD_NEXT, "bind");
  if (next == NULL) {
    errno = ENOSYS;
    return -1;
  }
  return next(socket, address, length);
}

// With SO_REUSEADDR several sockets may have one port as long as none of them listens yet; this one
// never will, and the system gives the port to nobody else as long as it is open.
static int reserve(int listener) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  int on = 1;
  int reservation = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (reservation == -1) {
    return -1;
  }
  if (getsockname(listener, (struct sockaddr *)&address, &length) != 0 ||
      setsockopt(reservation, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      system_bind(reservation, &address, sizeof address) != 0) {
    close(reservation);
    return -1;
  }
  return reservation;
}

static int bind_next(cutbank_listeners *listeners, int socket, struct sockaddr_in address) {
  int index = listeners->bound++;
  int on = 1;
  // Also lets a broker that is started again have its port beside connections in TIME_WAIT.
  // Its connections take TCP_NODELAY over from it, which Kafka's brokers set too: otherwise a short
  // answer behind another waits until the client acknowledges that one, up to 40 ms.
  if (setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    return -1;
  }
  address.sin_port = htons(listeners->ports[index]);
  if (system_bind(socket, &address, sizeof address) != 0) {
    // librdkafka 2.0.2 aborts the process when a mock broker cannot bind: let it have any port, and
    // tell the caller, who gives the brokers up.
    listeners->error = errno;
    listeners->count = listeners->bound;
    address.sin_port = 0;
    return system_bind(socket, &address, sizeof address);
  }
  listeners->reservations[index] = reserve(socket);
  return 0;
}

static int is_mock_thread(void) {
  char name[16] = "";
  return pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, "rdk:mock") == 0;
}

// A process that is just being started holds copies of all sockets until its program runs, so that a
// broker that goes down and up meanwhile finds its own listener alive; librdkafka 2.0.2 then aborts
// the process.
static int bind_patiently(int socket, const struct sockaddr *address, socklen_t length) {
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = 2 * 1000 * 1000};
  int result = system_bind(socket, address, length);
  for (int attempt = 0; attempt < 2500 && result != 0 && errno == EADDRINUSE; attempt++) {
    if (!is_mock_thread()) {
      errno = EADDRINUSE;
      break;
    }
    nanosleep(&pause, NULL);
    result = system_bind(socket, address, length);
  }
  return result;
}

__attribute__((visibility("default"))) int bind(
    int socket, const struct sockaddr *address, socklen_t length) {
  struct sockaddr_in internet;
  if (current == NULL || current->bound >= current->count || address == NULL ||
      address->sa_family != AF_INET || length < (socklen_t)sizeof internet) {
    return bind_patiently(socket, address, length);
  }
  memcpy(&internet, address, sizeof internet);
  if (internet.sin_port != 0) {
    return system_bind(socket, address, length);
  }
  return bind_next(current, socket, internet);
}
