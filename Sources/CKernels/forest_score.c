// Scores and attributions: descend to a leaf, then come back up until a box contains the query.
#include "forest_descent.h"

#define RCF_AHEAD 3

typedef struct {
  const rcf_forest *forest;
  const rcf_node *nodes;
  const float *boxes, *ranges;
  uint32_t tree;
} tree_view;

RCF_INLINE tree_view view_of(const rcf_forest *f, uint32_t tree) {
  const size_t first = (size_t)tree * f->capacity;
  tree_view view = {f, f->nodes + first, f->scratch_boxes, f->scratch_ranges, tree};
  if (tree < f->boxed_trees) {
    view.boxes = f->boxes + first * f->lanes;
    view.ranges = f->ranges + first;
  }
  return view;
}

// How many points a leaf stands for: what its ancestors' left masses leave over.
RCF_INLINE uint32_t leaf_mass(const tree_view *v, const uint16_t *path, uint32_t stride, uint32_t depth) {
  uint32_t mass = v->forest->trees[v->tree].mass;
  for (uint32_t i = 0; i < depth; i++) {
    const rcf_node *node = v->nodes + path[i * stride];
    mass = path[(i + 1) * stride] == node->left ? node->left_mass : mass - node->left_mass;
  }
  return mass;
}

RCF_INLINE int equals_leaf(const tree_view *v, uint32_t leaf, const float *query) {
  const float *point = stored_point(v->forest, v->tree, entry_of(leaf));
  for (uint32_t i = 0; i < v->forest->dimensions; i++)
    if (point[i] != query[i]) return 0;
  return 1;
}

// damp(m, M) * seen(D, m)
RCF_INLINE double seen_score(const tree_view *v, const uint16_t *path, uint32_t stride, uint32_t depth) {
  const double total = v->forest->trees[v->tree].mass;
  const uint32_t mass = leaf_mass(v, path, stride, depth);
  return (1 - mass / (2 * total)) / (depth + v->forest->log2_table[mass + 1]);
}

// Expected 1 / (depth + 1) over the cuts that would separate the query, not yet normalised.
//
// Where a box contains the query, all above do, and their separations are 0: small boxes need not be read then. Large
// ones are all the same, because to stop is a jump that cannot be foreseen and waits for the sum of a whole box. Only a
// query inside the box of the leaf's parent can equal the leaf, so no other point is ever read.
RCF_INLINE double ascend(
    const tree_view *v, const float *query, const uint16_t *path, uint32_t depth, uint32_t lanes) {
  const double *inverse_depth = v->forest->inverse_depth;
  double score = inverse_depth[depth];
  uint32_t level = depth;
  for (; level >= 4; level -= 4) {
    const uint16_t *nodes = path + (level - 4) * RCF_LOCKSTEP;
    const float *boxes[4];
    v4 range, gap;
    for (uint32_t j = 0; j < 4; j++) {
      const uint32_t node = nodes[(3 - j) * RCF_LOCKSTEP];
      boxes[j] = v->boxes + (size_t)node * lanes;
      range[j] = v->ranges[node];
    }
    gap_sums4(query, boxes, lanes, &gap);
    const d4 gaps = __builtin_convertvector(gap, d4);
    const d4 separation = gaps / (__builtin_convertvector(range, d4) + gaps);
    if (level == depth && gap[0] == 0) goto contained;
    const d4 depths = LOAD(d4, inverse_depth + level - 4);
    const d4 cut = separation * __builtin_shufflevector(depths, depths, 3, 2, 1, 0), stay = 1 - separation;
    score = cut[0] + stay[0] * score;
    score = cut[1] + stay[1] * score;
    score = cut[2] + stay[2] * score;
    score = cut[3] + stay[3] * score;
    if (lanes <= 16 && gap[3] == 0) return score;
  }
  while (level > 0) {
    const uint32_t node = path[--level * RCF_LOCKSTEP];
    const float gap = gap_sum(query, v->boxes + (size_t)node * lanes, lanes);
    if (level + 1 == depth && gap == 0) goto contained;
    if (lanes <= 16 && gap == 0) return score;
    const double separation = (double)gap / ((double)v->ranges[node] + (double)gap);
    score = separation * inverse_depth[level] + (1 - separation) * score;
  }
  if (depth > 0) return score;
contained:
  if (equals_leaf(v, path[depth * RCF_LOCKSTEP], query))
    return seen_score(v, path, RCF_LOCKSTEP, depth);
  return score;
}

// Asks for the boxes that the next ascent begins with, where boxes are large enough to lie beyond the inner caches.
RCF_INLINE void prefetch(const tree_view *v, const uint16_t *path, uint32_t depth, uint32_t lanes) {
  if (lanes < 32) return;
  for (uint32_t level = depth; level > 0 && level + RCF_AHEAD > depth;) {
    const float *box = v->boxes + (size_t)path[--level * RCF_LOCKSTEP] * lanes;
    for (uint32_t i = 0; i < lanes; i += 16) __builtin_prefetch(box + i);
  }
}

// The normalised scores of up to RCF_LOCKSTEP trees.
RCF_INLINE void score_group(
    const rcf_forest *f, const float *query, uint32_t first, double *scores, uint32_t lanes) {
  descents d;
  const uint32_t left = f->tree_count - first;
  const uint32_t count = left < RCF_LOCKSTEP ? left : RCF_LOCKSTEP;
  for (uint32_t k = 0; k < count; k++) {
    d.queries[k] = query;
    d.nodes[k] = f->nodes + (size_t)(first + k) * f->capacity;
    d.roots[k] = f->trees[first + k].root;
  }
  fill_up(&d, count);
  descend(&d, f->paths, count, 0);
  for (uint32_t k = 0; k < count; k++) {
    const tree_view view = view_of(f, first + k);
    if (first + k >= f->boxed_trees)
      rcf_rebuild(f, first + k, f->scratch_boxes, f->scratch_ranges);
    if (k + 1 < count) {
      const tree_view next = view_of(f, first + k + 1);
      prefetch(&next, f->paths + k + 1, d.depths[k + 1], lanes);
    }
    scores[k] = ascend(&view, query, f->paths + k, d.depths[k], lanes) *
                f->log2_table[f->trees[first + k].mass + 1];
  }
}

RCF_INLINE double score_trees(const rcf_forest *f, const float *query, uint32_t lanes) {
  double total = 0, scores[RCF_LOCKSTEP];
  for (uint32_t first = 0; first < f->tree_count; first += RCF_LOCKSTEP) {
    const uint32_t left = f->tree_count - first;
    score_group(f, query, first, scores, lanes);
    for (uint32_t k = 0; k < RCF_LOCKSTEP && k < left; k++) total += scores[k];
  }
  return total;
}

RCF_DISPATCH double rcf_score(const rcf_forest *f, const float *query) {
  switch (f->lanes) {
    case 4: return score_trees(f, query, 4);
    case 8: return score_trees(f, query, 8);
    case 16: return score_trees(f, query, 16);
    case 96: return score_trees(f, query, 96);
    case 192: return score_trees(f, query, 192);
    default: return score_trees(f, query, f->lanes);
  }
}

RCF_DISPATCH void rcf_score_some(
    const rcf_forest *f, const float *query, uint32_t first, double *scores) {
  switch (f->lanes) {
    case 16: score_group(f, query, first, scores, 16); break;
    default: score_group(f, query, first, scores, f->lanes);
  }
}

// The last descent of the last group is the departing point's.
RCF_INLINE void score_queries(
    const rcf_forest *f, uint32_t tree, const float *queries, uint32_t count, double *scores,
    uint32_t leaving, rcf_walk *walk, uint32_t lanes) {
  const tree_view view = view_of(f, tree);
  if (tree >= f->boxed_trees) rcf_rebuild(f, tree, f->scratch_boxes, f->scratch_ranges);
  const double normaliser = f->log2_table[f->trees[tree].mass + 1];
  descents d;
  for (uint32_t k = 0; k < RCF_LOCKSTEP; k++) {
    d.nodes[k] = view.nodes;
    d.roots[k] = f->trees[tree].root;
  }
  for (uint32_t first = 0, group; first < count; first += group) {
    const uint32_t left = count - first;
    const uint32_t room = left <= RCF_LOCKSTEP && walk ? RCF_LOCKSTEP - 1 : RCF_LOCKSTEP;
    group = left < room ? left : room;
    uint32_t walkers = group;
    for (uint32_t k = 0; k < group; k++) d.queries[k] = queries + (size_t)(first + k) * lanes;
    if (walk && group == left) d.queries[walkers++] = stored_point(f, tree, leaving);
    fill_up(&d, walkers);
    descend(&d, f->paths, walkers, 1);
    for (uint32_t k = 0; k < group; k++) {
      if (k + 1 < group) prefetch(&view, f->paths + k + 1, d.depths[k + 1], lanes);
      scores[first + k] += ascend(&view, d.queries[k], f->paths + k, d.depths[k], lanes) * normaliser;
    }
    if (walk && group == left) *walk = (rcf_walk){f->paths + group, f->paths + group - 1};
  }
}

RCF_DISPATCH void rcf_score_block(
    const rcf_forest *f, uint32_t tree, const float *queries, uint32_t count, double *scores,
    uint32_t leaving, rcf_walk *walk) {
  switch (f->lanes) {
    case 4: score_queries(f, tree, queries, count, scores, leaving, walk, 4); break;
    case 8: score_queries(f, tree, queries, count, scores, leaving, walk, 8); break;
    case 16: score_queries(f, tree, queries, count, scores, leaving, walk, 16); break;
    case 96: score_queries(f, tree, queries, count, scores, leaving, walk, 96); break;
    case 192: score_queries(f, tree, queries, count, scores, leaving, walk, 192); break;
    default: score_queries(f, tree, queries, count, scores, leaving, walk, f->lanes);
  }
}

uint32_t rcf_path(const rcf_forest *f, uint32_t tree, const float *query, uint16_t *path) {
  const rcf_node *nodes = f->nodes + (size_t)tree * f->capacity;
  uint32_t reference = f->trees[tree].root, depth = 0;
  while (!is_leaf(reference)) {
    path[depth++] = (uint16_t)reference;
    reference = child_of(nodes + reference, query);
  }
  path[depth] = (uint16_t)reference;
  return depth;
}

const float *rcf_boxes(const rcf_forest *f, uint32_t tree) {
  if (tree < f->boxed_trees) return f->boxes + (size_t)tree * f->capacity * f->lanes;
  rcf_rebuild(f, tree, f->scratch_boxes, f->scratch_ranges);
  return f->scratch_boxes;
}

const float *rcf_ranges(const rcf_forest *f, uint32_t tree) {
  return tree < f->boxed_trees ? f->ranges + (size_t)tree * f->capacity : f->scratch_ranges;
}

// Widens the shadow box, the box of what hangs beside the path, by the sibling of path[level + 1].
RCF_INLINE void widen_shadow(
    const tree_view *v, const uint16_t *path, uint32_t level, float *shadow, int first) {
  const rcf_forest *f = v->forest;
  const rcf_node *node = v->nodes + path[level];
  const uint32_t sibling = path[level + 1] == node->left ? node->right : node->left;
  float leaf[f->lanes];
  const float *box = leaf;
  if (is_leaf(sibling))
    point_lanes(stored_point(f, v->tree, entry_of(sibling)), f->dimensions, f->lanes, 0, leaf);
  else
    box = v->boxes + (size_t)sibling * f->lanes;
  for (uint32_t i = 0; i < f->lanes; i++)
    shadow[i] = first || box[i] > shadow[i] ? box[i] : shadow[i];
}

// The attribution of one tree into `share`; returns its score. Where the query equals the leaf, the boxes are those
// of the tree without it, and the total is scaled back to the score.
RCF_INLINE double attribute(
    const tree_view *v, const float *query, const uint16_t *path, uint32_t depth, float *share) {
  const rcf_forest *f = v->forest;
  const uint32_t lanes = f->lanes, half = lanes / 2;
  const double *inverse_depth = f->inverse_depth;
  float *gaps = f->lane_scratch + 2 * lanes, *shadow = f->lane_scratch + 3 * lanes;
  const int equal = equals_leaf(v, path[depth], query);
  double score;
  if (equal) {
    score = seen_score(v, path, 1, depth);
    const float each = (float)(score / (2 * f->dimensions));
    for (uint32_t i = 0; i < lanes; i++) share[i] = i % half < f->dimensions ? each : 0;
  } else {
    score = inverse_depth[depth];
    float *leaf = gaps;
    point_lanes(stored_point(f, v->tree, entry_of(path[depth])), f->dimensions, lanes, 0, leaf);
    const float scale = (float)(score / (double)gap_sum(query, leaf, lanes));
    for (uint32_t i = 0; i < lanes; i++) {
      const float gap = query[i] - leaf[i];
      share[i] = gap > 0 ? gap * scale : 0;
    }
  }
  for (uint32_t level = depth; level-- > 0;) {
    const float *box = shadow;
    float range;
    if (equal) {
      widen_shadow(v, path, level, shadow, level + 1 == depth);
      range = range_sum(shadow, lanes);
    } else {
      box = v->boxes + (size_t)path[level] * lanes;
      range = v->ranges[path[level]];
    }
    const float gap = gap_sum(query, box, lanes);
    if (gap == 0) break;
    const double whole = (double)range + (double)gap;
    const double separation = (double)gap / whole;
    const float weight = (float)(inverse_depth[level] / whole), keep = (float)(1 - separation);
    for (uint32_t i = 0; i < lanes; i++) {
      const float side = query[i] - box[i];
      share[i] = (side > 0 ? side * weight : 0) + keep * share[i];
    }
    if (!equal) score += separation * (inverse_depth[level] - score);
  }
  return score;
}

RCF_DISPATCH double rcf_attribution(const rcf_forest *f, const float *query, double *lanes) {
  float *share = f->lane_scratch;
  double total = 0;
  for (uint32_t tree = 0; tree < f->tree_count; tree++) {
    const tree_view view = view_of(f, tree);
    if (tree >= f->boxed_trees) rcf_rebuild(f, tree, f->scratch_boxes, f->scratch_ranges);
    const uint32_t depth = rcf_path(f, tree, query, f->paths);
    const double score =
        attribute(&view, query, f->paths, depth, share) * f->log2_table[f->trees[tree].mass + 1];
    total += score;
    double sum = 0;
    for (uint32_t i = 0; i < f->lanes; i++) sum += (double)share[i];
    const double scale = sum > 0 ? score / sum : 0;
    for (uint32_t i = 0; i < f->lanes; i++) lanes[i] += (double)share[i] * scale;
  }
  return total;
}
