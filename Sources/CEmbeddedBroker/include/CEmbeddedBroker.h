#ifndef CUTBANK_EMBEDDED_BROKER_H
#define CUTBANK_EMBEDDED_BROKER_H

#include <stdint.h>

/// What becomes of the loopback listeners that one thread makes.
typedef struct {
  /// The port of each listener in turn, 0 for any; as many as there will be listeners.
  const uint16_t *ports;
  /// Takes a socket for each listener that keeps its port when the listener is closed; -1 for none.
  int *reservations;
  /// Length of both.
  int count;
  /// How many listeners were bound.
  int bound;
  /// The errno of the first listener that could not have its port, else 0.
  int error;
} cutbank_listeners;

/// From here to `cutbank_listeners_end`, each `bind` of an IPv4 address with port 0 on the calling
/// thread makes the next of `listeners`, which must stay valid.
void cutbank_listeners_begin(cutbank_listeners *listeners);

void cutbank_listeners_end(void);

#endif
