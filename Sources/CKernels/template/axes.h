/// Axes with several sets of strides, and places in them.

enum { axes_max_sets = prunec_max_operands + 1 };

typedef struct {
  long rank, sets;
  long shape[prunec_max_rank];
  long strides[axes_max_sets][prunec_max_rank];
} axes;

static inline axes axes_make(long rank, const long *shape, long sets) {
  axes result;
  result.rank = rank;
  result.sets = sets;
  for (long axis = 0; axis < rank; axis++) result.shape[axis] = shape[axis];
  return result;
}

static inline void axes_set(axes *axes, long set, const long *strides) {
  for (long axis = 0; axis < axes->rank; axis++) axes->strides[set][axis] = strides[axis];
}

static inline void axes_move(axes *axes, long from, long to) {
  axes->shape[to] = axes->shape[from];
  for (long set = 0; set < axes->sets; set++) axes->strides[set][to] = axes->strides[set][from];
}

static inline void axes_swap(axes *axes, long one, long other) {
  long extent = axes->shape[one];
  axes->shape[one] = axes->shape[other];
  axes->shape[other] = extent;
  for (long set = 0; set < axes->sets; set++) {
    long stride = axes->strides[set][one];
    axes->strides[set][one] = axes->strides[set][other];
    axes->strides[set][other] = stride;
  }
}

/// The largest strides of a set first.
static inline void axes_sort(axes *axes, long set) {
  for (long end = 1; end < axes->rank; end++)
    for (long axis = end; axis > 0; axis--) {
      if (labs(axes->strides[set][axis - 1]) >= labs(axes->strides[set][axis])) break;
      axes_swap(axes, axis - 1, axis);
    }
}

/// Whether an axis continues the next one in all sets of strides.
static inline bool axes_continue(const axes *axes, long outer, long inner) {
  for (long set = 0; set < axes->sets; set++)
    if (axes->strides[set][outer] != axes->strides[set][inner] * axes->shape[inner]) return false;
  return true;
}

/// Drops axes of one place and merges neighbours that are one axis in all sets. The result has at least
/// `least` axes; added ones have one place.
static inline void axes_simplify(axes *axes, long least) {
  long rank = 0;
  for (long axis = 0; axis < axes->rank; axis++) {
    if (axes->shape[axis] == 1) continue;
    if (rank > 0 && axes_continue(axes, rank - 1, axis)) {
      long extent = axes->shape[rank - 1];
      axes_move(axes, axis, rank - 1);
      axes->shape[rank - 1] *= extent;
    } else {
      axes_move(axes, axis, rank++);
    }
  }
  long added = rank < least ? least - rank : 0;
  for (long axis = rank - 1; axis >= 0 && added > 0; axis--) axes_move(axes, axis, axis + added);
  for (long axis = 0; axis < added; axis++) {
    axes->shape[axis] = 1;
    for (long set = 0; set < axes->sets; set++) axes->strides[set][axis] = 1;
  }
  axes->rank = rank + added;
}

/// How many places the first `rank` axes have.
static inline long axes_places(const axes *axes, long rank) {
  long places = 1;
  for (long axis = 0; axis < rank; axis++) places *= axes->shape[axis];
  return places;
}

/// A place in the first `rank` axes, and its offset by each set of strides.
typedef struct {
  long rank;
  long index[prunec_max_rank];
  long offsets[axes_max_sets];
} place;

static inline place place_number(const axes *axes, long rank, long number) {
  place result;
  result.rank = rank;
  for (long set = 0; set < axes->sets; set++) result.offsets[set] = 0;
  for (long axis = rank - 1; axis >= 0; axis--) {
    long index = axis > 0 ? number % axes->shape[axis] : number;
    if (axis > 0) number /= axes->shape[axis];
    result.index[axis] = index;
    for (long set = 0; set < axes->sets; set++) result.offsets[set] += index * axes->strides[set][axis];
  }
  return result;
}

/// Steps to the next place; behind the last one comes the first one.
static inline void place_advance(place *place, const axes *axes) {
  for (long axis = place->rank - 1; axis >= 0; axis--) {
    long steps = ++place->index[axis] < axes->shape[axis] ? 1 : 1 - axes->shape[axis];
    for (long set = 0; set < axes->sets; set++) place->offsets[set] += steps * axes->strides[set][axis];
    if (steps == 1) return;
    place->index[axis] = 0;
  }
}

static inline long smaller(long a, long b) {
  return a < b ? a : b;
}

static inline long larger(long a, long b) {
  return a > b ? a : b;
}

/// How many parts of a size cover a length.
static inline long parts(long length, long size) {
  return (length + size - 1) / size;
}
