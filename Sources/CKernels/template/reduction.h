/// Reductions: rows and columns of numbers to one, by a function of each number and a function of two results.

typedef vector (*reduction_map)(vector x, vector center);
typedef vector (*reduction_combine)(vector a, vector b);

static inline vector map_itself(vector x, vector center) {
  (void)center;
  return x;
}

static inline vector map_absolute(vector x, vector center) {
  (void)center;
  return vector_absolute(x);
}

static inline vector map_square(vector x, vector center) {
  (void)center;
  return x * x;
}

static inline vector map_squared_distance(vector x, vector center) {
  return (x - center) * (x - center);
}

static inline vector combine_sum(vector a, vector b) {
  return a + b;
}

static inline vector combine_product(vector a, vector b) {
  return a * b;
}

/// What is not a number wins.
static inline vector combine_maximum(vector a, vector b) {
  return vector_select(a != a, a, vector_maximum(a, b));
}

static inline vector combine_minimum(vector a, vector b) {
  return vector_select(a != a, a, vector_minimum(a, b));
}

/// The lanes of x before `count`, and `otherwise` in the others.
static inline vector vector_keep(vector x, long count, vector otherwise) {
  static const int32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  integers lanes;
  memcpy(&lanes, numbers, sizeof lanes);
  return vector_select(lanes < (int32_t)count, x, otherwise);
}

/// `count` elements at a stride, which is not 1, then zeros.
static inline vector vector_load_apart(const float *x, long stride, long count) {
  float lanes[width] = {0};
  for (long lane = 0; lane < count; lane++) lanes[lane] = x[lane * stride];
  return vector_load(lanes);
}

/// Reduces a row into the lanes of a vector: what is beyond the row counts as `identity`. Long rows are reduced
/// in parts, which keeps the errors of sums small.
static inline __attribute__((always_inline)) vector reduce_row_by(
    reduction_map map, reduction_combine combine, vector identity,
    const float *x, long stride, long count, vector center) {
  enum { part = 256 * width };
  vector total = identity;
  for (; count > 0; count -= part, x += part * stride) {
    vector r0 = identity, r1 = identity, r2 = identity, r3 = identity;
    long end = smaller(part, count), i = 0;
    if (stride == 1) {
      for (; i + 4 * width <= end; i += 4 * width) {
        r0 = combine(r0, map(vector_load(x + i), center));
        r1 = combine(r1, map(vector_load(x + i + width), center));
        r2 = combine(r2, map(vector_load(x + i + 2 * width), center));
        r3 = combine(r3, map(vector_load(x + i + 3 * width), center));
      }
      for (; i + width <= end; i += width) r0 = combine(r0, map(vector_load(x + i), center));
    }
    for (; i < end; i += width) {
      long lanes = smaller(width, end - i);
      vector x_i = stride == 1 ? vector_load_partial(x + i, lanes) : vector_load_apart(x + i * stride, stride, lanes);
      r1 = combine(r1, vector_keep(map(x_i, center), lanes, identity));
    }
    total = combine(total, combine(combine(r0, r1), combine(r2, r3)));
  }
  return total;
}

/// Reduces columns: totals[c] = combine(totals[c], all of x[row, c]). Long columns are reduced in parts,
/// which keeps the errors of sums small.
static inline __attribute__((always_inline)) void reduce_columns_by(
    reduction_map map, reduction_combine combine, const float *x, long rows, long pitch, long count,
    const float *centers, float *totals) {
  enum { part = 64 };
  const vector zero = vector_broadcast(0);
  if (rows == 0) return;
  for (; rows > 0; rows -= part, x += part * pitch) {
    long end = smaller(part, rows), c = 0;
    for (; c + 4 * width <= count; c += 4 * width) {
      vector center0 = centers ? vector_load(centers + c) : zero;
      vector center1 = centers ? vector_load(centers + c + width) : zero;
      vector center2 = centers ? vector_load(centers + c + 2 * width) : zero;
      vector center3 = centers ? vector_load(centers + c + 3 * width) : zero;
      const float *from = x + c;
      vector r0 = map(vector_load(from), center0), r1 = map(vector_load(from + width), center1);
      vector r2 = map(vector_load(from + 2 * width), center2);
      vector r3 = map(vector_load(from + 3 * width), center3);
      for (long row = 1; row < end; row++) {
        from += pitch;
        r0 = combine(r0, map(vector_load(from), center0));
        r1 = combine(r1, map(vector_load(from + width), center1));
        r2 = combine(r2, map(vector_load(from + 2 * width), center2));
        r3 = combine(r3, map(vector_load(from + 3 * width), center3));
      }
      float *to = totals + c;
      vector_store(to, combine(vector_load(to), r0));
      vector_store(to + width, combine(vector_load(to + width), r1));
      vector_store(to + 2 * width, combine(vector_load(to + 2 * width), r2));
      vector_store(to + 3 * width, combine(vector_load(to + 3 * width), r3));
    }
    for (; c < count; c += width) {
      long lanes = smaller(width, count - c);
      vector center = centers ? vector_load_partial(centers + c, lanes) : zero;
      vector r = vector_load_partial(totals + c, lanes);
      for (long row = 0; row < end; row++)
        r = combine(r, map(vector_load_partial(x + row * pitch + c, lanes), center));
      vector_store_partial(totals + c, r, lanes);
    }
  }
}

// ---------------------------------------------------------------------------------------------------
// The kernel

enum { reduction_chunk = 128 };

/// How a reduction walks.
typedef struct {
  axes kept;     ///< of x, then of y
  axes reduced;  ///< of x
  bool is_vertical;  ///< The last kept axis lies at stride one: whole rows are reduced at once.
  long chunks;
} reduction_plan;

static reduction_plan reduction_plan_make(const prunec_reduction *p) {
  reduction_plan plan;
  plan.kept = axes_make(p->kept_rank, p->kept_shape, 2);
  axes_set(&plan.kept, 0, p->x_kept);
  axes_set(&plan.kept, 1, p->y_strides);
  axes_sort(&plan.kept, 0);
  axes_simplify(&plan.kept, 1);
  plan.reduced = axes_make(p->reduced_rank, p->reduced_shape, 1);
  axes_set(&plan.reduced, 0, p->x_reduced);
  axes_sort(&plan.reduced, 0);
  axes_simplify(&plan.reduced, 1);
  long last = plan.kept.rank - 1, last_reduced = plan.reduced.rank - 1;
  plan.is_vertical = plan.kept.strides[0][last] == 1 && plan.kept.shape[last] > 1
    && (plan.reduced.strides[0][last_reduced] != 1 || plan.reduced.shape[last_reduced] == 1);
  plan.chunks = plan.is_vertical ? parts(plan.kept.shape[last], reduction_chunk) : 1;
  return plan;
}

static long reduction_units(const prunec_reduction *p) {
  reduction_plan plan = reduction_plan_make(p);
  return axes_places(&plan.kept, plan.kept.rank - plan.is_vertical) * plan.chunks;
}

static inline float reduction_finish(prunec_reduction_kind kind, float total, float count) {
  if (kind == prunec_reduce_mean) return total / count;
  return kind == prunec_reduce_l2 ? sqrtf(total) : total;
}

static inline float reduction_of_lanes(reduction_combine combine, vector x) {
  if (combine == combine_sum) return vector_sum(x);
  float lanes[width];
  vector_store(lanes, x);
  vector total = vector_broadcast(lanes[0]);
  for (long lane = 1; lane < width; lane++) total = combine(total, vector_broadcast(lanes[lane]));
  return total[0];
}

static inline __attribute__((always_inline)) void reduction_by(
    reduction_map map, reduction_combine combine, float identity,
    const prunec_reduction *p, const reduction_plan *plan, long begin, long end) {
  const axes *kept = &plan->kept, *reduced = &plan->reduced;
  const long outer_rank = reduced->rank - 1, last = kept->rank - 1;
  const long outer = axes_places(reduced, outer_rank);
  const long rows = reduced->shape[outer_rank], row_stride = reduced->strides[0][outer_rank];
  const float places = (float)(outer * rows);
  const vector zero = vector_broadcast(0);
  for (long unit = begin; unit < end; unit++) {
    place to = place_number(kept, kept->rank - plan->is_vertical, unit / plan->chunks);
    place from = place_number(reduced, outer_rank, 0);
    if (plan->is_vertical) {
      float totals[reduction_chunk];
      long first = unit % plan->chunks * reduction_chunk;
      long count = smaller(reduction_chunk, kept->shape[last] - first);
      for (long c = 0; c < count; c++) totals[c] = identity;
      for (long i = 0; i < outer; i++, place_advance(&from, reduced)) {
        const float *x = p->x + to.offsets[0] + first + from.offsets[0];
        reduce_columns_by(map, combine, x, rows, row_stride, count, NULL, totals);
      }
      float *y = p->y + to.offsets[1] + first * kept->strides[1][last];
      for (long c = 0; c < count; c++)
        y[c * kept->strides[1][last]] = reduction_finish(p->kind, totals[c], places);
    } else {
      vector total = vector_broadcast(identity);
      for (long i = 0; i < outer; i++, place_advance(&from, reduced)) {
        const float *x = p->x + to.offsets[0] + from.offsets[0];
        total = combine(
            total, reduce_row_by(map, combine, vector_broadcast(identity), x, row_stride, rows, zero));
      }
      p->y[to.offsets[1]] = reduction_finish(p->kind, reduction_of_lanes(combine, total), places);
    }
  }
}

static void reduction(const prunec_reduction *p, long begin, long end) {
  if (begin >= end) return;
  reduction_plan plan = reduction_plan_make(p);
  switch (p->kind) {
  case prunec_reduce_sum:
  case prunec_reduce_mean: reduction_by(map_itself, combine_sum, 0, p, &plan, begin, end); break;
  case prunec_reduce_maximum:
    reduction_by(map_itself, combine_maximum, -INFINITY, p, &plan, begin, end);
    break;
  case prunec_reduce_minimum:
    reduction_by(map_itself, combine_minimum, INFINITY, p, &plan, begin, end);
    break;
  case prunec_reduce_product: reduction_by(map_itself, combine_product, 1, p, &plan, begin, end); break;
  case prunec_reduce_sum_of_squares:
  case prunec_reduce_l2: reduction_by(map_square, combine_sum, 0, p, &plan, begin, end); break;
  case prunec_reduce_l1: reduction_by(map_absolute, combine_sum, 0, p, &plan, begin, end); break;
  }
}
