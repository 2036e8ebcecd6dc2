// Descents that go on together, so that their cache misses overlap: of one query in many trees, of many queries in one
// tree, or of points that leave and enter. Level i of descent k is path[i * RCF_LOCKSTEP + k]: inner nodes from the
// root, then, from depths[k] on, the leaf.
#ifndef FOREST_DESCENT_H
#define FOREST_DESCENT_H

#include "forest_lanes.h"

typedef struct {
  const rcf_node *nodes[RCF_LOCKSTEP];
  const float *queries[RCF_LOCKSTEP];
  uint16_t roots[RCF_LOCKSTEP];
  uint32_t depths[RCF_LOCKSTEP];
} descents;

typedef uint16_t h8 __attribute__((vector_size(16), aligned(2)));

// How many inner nodes each descent has passed in `count` levels.
RCF_INLINE void measure_depths(descents *d, const uint16_t *path, uint32_t count) {
  h8 first = {0}, last = {0};
  for (uint32_t level = 0; level < count; level++, path += RCF_LOCKSTEP) {
    first += LOAD(h8, path) >> 15;
    last += LOAD(h8, path + RCF_LOCKSTEP - 8) >> 15;
  }
  for (uint32_t k = 0; k < 8; k++) d->depths[k] = count - first[k];
  for (uint32_t k = 8; k < RCF_LOCKSTEP; k++) d->depths[k] = count - last[k + 8 - RCF_LOCKSTEP];
}

RCF_INLINE void descend_first(descents *d, uint16_t *path, const uint32_t width, const int in_one_tree) {
  const rcf_node *const nodes = d->nodes[0];
  uint16_t *row = path;
  uint32_t references[RCF_LOCKSTEP];
  for (uint32_t k = 0; k < width; k++) references[k] = d->roots[k];
  for (;; row += RCF_LOCKSTEP) {
    uint32_t all = RCF_LEAF;
#pragma clang loop unroll(full)
    for (uint32_t k = 0; k < width; k++) {
      const uint32_t here = references[k];
      row[k] = (uint16_t)here;
      all &= here;
      // At a leaf the step is made from some node all the same, and not taken.
      uint32_t next = child_of((in_one_tree ? nodes : d->nodes[k]) + entry_of(here), d->queries[k]);
      // Keeps the compiler from packing the references into a vector, only to take them out again at every step.
      __asm__("" : "+r"(next));
      references[k] = here < RCF_LEAF ? next : here;
    }
    if (all) break;
  }
  measure_depths(d, path, (uint32_t)(row - path) / RCF_LOCKSTEP + 1);
}

// The first `count` descents; what stands in the others does not matter, but it must be some descent.
RCF_INLINE void descend(descents *d, uint16_t *path, uint32_t count, const int in_one_tree) {
  if (count > RCF_LOCKSTEP / 2)
    descend_first(d, path, RCF_LOCKSTEP, in_one_tree);
  else
    descend_first(d, path, RCF_LOCKSTEP / 2, in_one_tree);
}

// Lets the descents from `count` on repeat the one before.
RCF_INLINE void fill_up(descents *d, uint32_t count) {
  const uint32_t width = count > RCF_LOCKSTEP / 2 ? RCF_LOCKSTEP : RCF_LOCKSTEP / 2;
  for (uint32_t k = count; k < width; k++) {
    d->nodes[k] = d->nodes[count - 1];
    d->queries[k] = d->queries[count - 1];
    d->roots[k] = d->roots[count - 1];
  }
}

#endif
