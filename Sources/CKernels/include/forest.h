#ifndef CKERNELS_FOREST_H
#define CKERNELS_FOREST_H

#include <stdint.h>

/// A child reference with this bit names a leaf: the sample entry in its lower 15 bits. Without it, an inner node.
#define RCF_LEAF 0x8000u
/// The root of an empty tree, and the end of the list of free nodes.
#define RCF_NONE 0xffffu
/// Trees descended in lockstep, so that their cache misses overlap.
#define RCF_LOCKSTEP 10

/// An inner node: a point goes left when its coordinate `dimension` is <= `cut`.
typedef struct {
  float cut;
  uint16_t left, right;
  uint16_t dimension;
  uint16_t left_mass;
} rcf_node;

typedef struct {
  uint64_t random;
  uint32_t mass;
  uint16_t root;
  uint16_t free_node;
  uint16_t node_limit;
} rcf_tree;

/// The arrays of a forest. Tree t owns `capacity` entries of `keys` and `points` and `capacity` inner nodes.
///
/// A box has `lanes` floats: `lanes / 2` upper bounds, then as many negated lower bounds, zero where there is no
/// coordinate. A query has the point, then the point negated, and -1 where there is no coordinate. Hence the gap
/// of a query to a box is max(query - box, 0) in every lane, and a union is a maximum.
typedef struct {
  rcf_node *nodes;
  float *boxes;          // of the first `boxed_trees` trees
  float *ranges;         // the sum of the sides of each box
  float *scratch_boxes;  // of one tree without boxes, rebuilt when it is visited
  float *scratch_ranges;
  float *keys;           // sampling keys; the largest leaves first
  void *points;          // where in the store the point of an entry begins, in blocks: 16 or, if wide, 32 bits
  rcf_tree *trees;
  float *store;
  uint16_t *paths;         // `capacity` levels of RCF_LOCKSTEP descents: of the queries that are scored
  uint16_t *due_paths;     // as many: of the points that will leave and enter
  uint16_t *order;         // `capacity`
  float *lane_scratch;     // 4 * lanes
  const double *log2_table;      // of 0 ... sample size + 1
  const double *inverse_depth;   // 1 / (depth + 1)
  uint32_t tree_count, boxed_trees, capacity, dimensions, lanes, block, wide;
} rcf_forest;

/// The ways of a point that leaves a tree and of one that enters it: references from the root down to a leaf,
/// RCF_LOCKSTEP apart, of the tree as it is before either.
typedef struct {
  const uint16_t *departure;
  uint16_t *arrival;
} rcf_walk;

/// Trees whose walks are found together.
#define RCF_WALKS (RCF_LOCKSTEP / 2)

/// The point that left a tree has no other copy there.
#define RCF_LEFT 1u
/// The point that entered a tree joined an equal one.
#define RCF_JOINED 2u

/// Writes the query lanes of a point.
void rcf_query(const rcf_forest *forest, const float *point, float *query);

/// The anomaly score of a query, summed over the trees and normalised.
double rcf_score(const rcf_forest *forest, const float *query);

/// The normalised scores of the RCF_LOCKSTEP trees from the first on, or of as many as there are.
void rcf_score_some(const rcf_forest *forest, const float *query, uint32_t first, double *scores);

/// Adds the normalised score of each of `count` queries (`lanes` apart) in one tree to `scores`.
///
/// If `walk` is given, it becomes that of the last query, which will take the place of the entry `leaving`; it is valid
/// until the tree changes or something else is scored.
void rcf_score_block(
    const rcf_forest *forest, uint32_t tree, const float *queries, uint32_t count, double *scores,
    uint32_t leaving, rcf_walk *walk);

/// Adds the normalised attribution of a query, lane by lane, and returns the score; both summed over the trees.
double rcf_attribution(const rcf_forest *forest, const float *query, double *lanes);

/// Inserts the query as `entry`, held at `position` of the store.
///
/// Returns the entry whose equal point it joined, or -1 when it became a leaf of its own.
int32_t rcf_insert(
    const rcf_forest *forest, uint32_t tree, const float *query, uint32_t entry, uint32_t position);

/// The walks in up to RCF_WALKS trees whose entry `leaving[tree]` gives way to the query; valid until the tree changes
/// or other walks are asked for.
void rcf_find_walks(
    const rcf_forest *forest, const uint16_t *trees, uint32_t count, const uint16_t *leaving,
    const float *query, rcf_walk *walks);

/// Puts the query, held at `position` of the store, in the place of the entry `leaving`, under `key`.
///
/// Returns RCF_LEFT and RCF_JOINED as they apply.
uint32_t rcf_replace(
    const rcf_forest *forest, uint32_t tree, uint32_t leaving, const float *query, uint32_t position,
    float key, const rcf_walk *walk);

/// The entry with the largest key; among equal keys that with the greatest point.
uint32_t rcf_last_entry(const rcf_forest *forest, uint32_t tree);

/// The path of a query from the root to a leaf, root first, into `path`. Returns the number of inner nodes; the
/// leaf's reference stands behind them.
uint32_t rcf_path(const rcf_forest *forest, uint32_t tree, const float *query, uint16_t *path);

/// Brings the boxes of a tree up to date where they are not kept, and returns them.
const float *rcf_boxes(const rcf_forest *forest, uint32_t tree);

/// The ranges that belong to `rcf_boxes`, valid after it.
const float *rcf_ranges(const rcf_forest *forest, uint32_t tree);

/// Computes all boxes of a tree from its points.
void rcf_rebuild(const rcf_forest *forest, uint32_t tree, float *boxes, float *ranges);

#endif
