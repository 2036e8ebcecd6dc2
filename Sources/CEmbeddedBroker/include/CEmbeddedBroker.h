#ifndef CUTBANK_EMBEDDED_BROKER_H
#define CUTBANK_EMBEDDED_BROKER_H

#include <stdint.h>

/// Gives the next listeners of the calling thread fixed ports: until the list is used up, each
/// `bind` of an IPv4 address with port 0 on this thread takes the next port. `ports` must stay valid
/// until `cutbank_fixed_ports_end` is called on the same thread.
void cutbank_fixed_ports_begin(const uint16_t *ports, int count);

/// Ends what `cutbank_fixed_ports_begin` began.
///
/// Returns 0, or the errno of the bind that failed; `*used` is the number of ports handed out.
int cutbank_fixed_ports_end(int *used);

#endif
