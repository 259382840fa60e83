/// The compute kernels: plain C over float32, without allocation and without global state.
///
/// One template is compiled once for each instruction set (`prunec_kernels_named`); what a table's
/// functions compute is the same in all of them up to rounding.
///
/// A kernel takes one struct of arguments, and a range of its units of work. Units are independent of
/// each other, so that ranges of them may run on different threads at once: `*_units` tells how many
/// there are. Pointers may not overlap unless a comment says so. Strides count elements. What is
/// called a row of pixels, channels or elements lies at stride one.
#ifndef PRUNEC_KERNELS_H
#define PRUNEC_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---------------------------------------------------------------------------------------------------
// Activations

/// The functions that a kernel applies to its result. `alpha` and `beta` are in `prunec_activation`.
typedef enum {
  prunec_identity,
  prunec_relu,          ///< max(0, x)
  prunec_clip,          ///< min(beta, max(alpha, x))
  prunec_leaky_relu,    ///< x < 0 ? alpha x : x
  prunec_sigmoid,       ///< 1 / (1 + exp(-x))
  prunec_silu,          ///< x / (1 + exp(-alpha x)); alpha is 1 for SiLU, 1.702 for QuickGelu
  prunec_hard_sigmoid,  ///< max(0, min(1, alpha x + beta))
  prunec_hard_swish,    ///< x max(0, min(1, x / 6 + 0.5))
  prunec_tanh,
  prunec_gelu,          ///< x (1 + erf(x / sqrt 2)) / 2
  prunec_gelu_tanh,     ///< x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
} prunec_function;

typedef struct {
  prunec_function function;
  float alpha, beta;
} prunec_activation;

// ---------------------------------------------------------------------------------------------------
// Products: convolutions and matrix products

/// The product of rows of `x` with packed weights. For each batch item, group and output pixel `(i, j)`
/// and output channel o
///
///     y[i, j, o] = act(bias[o] + sum over (u, v, c) of x[i s - p + u d, j s - p + v d, c] w[o, u, v, c]) + addend
///
/// with the addend inside of act instead unless `adds_last`. Pixels outside of x read `zeros`. A matrix
/// product `Y [M, N] = X [M, K] W [K, N]` is the case of 1 x 1 kernels with M pixels in one row.
typedef struct {
  long batch, groups;
  long in_height, in_width, in_channels;     ///< of one group
  long out_height, out_width, out_channels;  ///< of one group
  long kernel_height, kernel_width, stride_height, stride_width;
  long dilation_height, dilation_width, pad_top, pad_left;
  const float *x;
  long x_batch, x_group, x_row, x_pixel;
  /// From `prunec_pack`; a batch item's or group's own begin at these strides (0: shared).
  const float *weights;
  long weights_batch, weights_group;
  /// `[groups, out_channels]`, or null.
  const float *bias;
  /// At least `in_channels` zeros; may be null where no pixel lies outside.
  const float *zeros;
  /// Of y's shape with strides of its own (0 broadcasts), or null. May be y itself unless `adds_last`.
  const float *addend;
  long addend_batch, addend_group, addend_row, addend_pixel;
  bool adds_last;
  prunec_activation activation;
  float *y;
  long y_batch, y_group, y_row, y_pixel;
  /// How many output pixels a unit takes, at least 1: their part of x should stay in the second-level cache.
  long pixel_block;
  /// How many bytes of weights a unit takes at once, about, at least 1: those of two panels should stay in
  /// the second-level cache with the pixels. A longer sum is made in stages; y holds what there is so far.
  long stage_size;
} prunec_product;

/// Where the weights of a product come from: element (o, u, v, c) of a group is
/// `w[o * output + u * kernel_row + v * kernel_column + c * input]`, times `scale`.
typedef struct {
  const float *w;
  long batch, groups;
  long out_channels, in_channels, kernel_height, kernel_width;  ///< of one group
  long w_batch, w_group, output, input, kernel_row, kernel_column;
  float scale;
  float *packed;
} prunec_packing;

// ---------------------------------------------------------------------------------------------------
// Convolutions of one channel each

/// A depthwise convolution: y[i, j, c] = act(bias[c] + sum over (u, v) of x[i s - p + u d, j s - p + v d, c] w[u, v, c]),
/// and the addend as in a product.
typedef struct {
  long batch, channels;
  long in_height, in_width, out_height, out_width;
  long kernel_height, kernel_width, stride_height, stride_width;
  long dilation_height, dilation_width, pad_top, pad_left;
  const float *x;
  long x_batch, x_row, x_pixel;
  /// `[kernel_height, kernel_width, channels]`.
  const float *weights;
  /// `[channels]`, or null.
  const float *bias;
  const float *addend;
  long addend_batch, addend_row, addend_pixel;
  bool adds_last;
  prunec_activation activation;
  float *y;
  long y_batch, y_row, y_pixel;
  /// Into how many bands of rows y is divided, one after the other: as many as threads, so that each finds in its cache
  /// what it wrote of x.
  long bands;
} prunec_depthwise;

// ---------------------------------------------------------------------------------------------------
// Winograd's convolution: what comes before and after its products

/// Transforms 4 x 4 pixels of x, each two pixels apart, to 16 numbers. The tiles of all images have `tile_rows`
/// lines each; those of `lines` lines, from `first_line` on, go to v.
typedef struct {
  long channels;
  long in_height, in_width, pad_top, pad_left;
  const float *x;
  long x_batch, x_row, x_pixel;
  long tile_rows, tile_columns, first_line, lines;
  /// `[16, lines, tile_columns, channels]`.
  float *v;
} prunec_winograd_input;

/// Transforms sums of such numbers times weights to 2 x 2 pixels of y, with bias, addend and activation as in a
/// product.
typedef struct {
  long channels;
  long out_height, out_width;
  long tile_rows, tile_columns, first_line, lines;
  /// `[16, lines, tile_columns, channels]`.
  const float *sums;
  /// `[channels]`, or null.
  const float *bias;
  const float *addend;
  long addend_batch, addend_row, addend_pixel;
  bool adds_last;
  prunec_activation activation;
  float *y;
  long y_batch, y_row, y_pixel;
} prunec_winograd_output;

// ---------------------------------------------------------------------------------------------------
// Pooling

typedef enum {
  prunec_pool_maximum,
  prunec_pool_average,            ///< divides by how many pixels lie inside
  prunec_pool_average_with_pads,  ///< divides by how many pixels lie inside x with its pads
} prunec_pooling_kind;

/// The maximum or average of windows, channel by channel.
typedef struct {
  prunec_pooling_kind kind;
  long batch, channels;
  long in_height, in_width, out_height, out_width;
  long kernel_height, kernel_width, stride_height, stride_width;
  long dilation_height, dilation_width, pad_top, pad_left, pad_bottom, pad_right;
  const float *x;
  long x_batch, x_row, x_pixel;
  float *y;
  long y_batch, y_row, y_pixel;
} prunec_pooling;

// ---------------------------------------------------------------------------------------------------
// Element-wise programs

enum { prunec_max_rank = 6, prunec_max_operands = 8, prunec_max_instructions = 16 };

/// What one instruction of a program computes of registers a, b and c, or of the number `value`.
typedef enum {
  prunec_op_number,  ///< value
  prunec_op_add, prunec_op_subtract, prunec_op_multiply, prunec_op_divide,
  prunec_op_minimum, prunec_op_maximum,  ///< NaN where one of the two is
  prunec_op_power,                       ///< powf
  prunec_op_modulus,                     ///< fmodf
  prunec_op_less, prunec_op_less_or_equal, prunec_op_equal,  ///< 1 or 0
  prunec_op_and, prunec_op_or, prunec_op_xor, prunec_op_not, ///< of numbers that are 1 or 0
  prunec_op_select,                      ///< a != 0 ? b : c
  prunec_op_activate,                    ///< `activation` of a
  prunec_op_negate, prunec_op_absolute, prunec_op_reciprocal, prunec_op_square_root,
  prunec_op_exponential, prunec_op_logarithm, prunec_op_error_function,
  prunec_op_sine, prunec_op_cosine,
  prunec_op_floor, prunec_op_ceiling, prunec_op_round,  ///< round: halves to even
  prunec_op_sign,
  prunec_op_softplus,                    ///< log(1 + exp(a))
  prunec_op_elu,                         ///< a < 0 ? value (exp(a) - 1) : a
  /// The nearest of what 8 bits hold; the least one where a is NaN.
  prunec_op_to_int8, prunec_op_to_uint8,
  /// Registers may hold the bits of int32. From float32 what is after the point is cut off, the nearest is
  /// taken of what does not fit, and 0 for NaN.
  prunec_op_to_int32, prunec_op_from_int32,
  prunec_op_add_int32, prunec_op_subtract_int32, prunec_op_multiply_int32,  ///< wrap around
  prunec_op_minimum_int32, prunec_op_maximum_int32,
  prunec_op_less_int32, prunec_op_less_or_equal_int32, prunec_op_equal_int32,  ///< 1 or 0, in float32
} prunec_operation;

typedef struct {
  prunec_operation operation;
  /// Registers: the operands come first, then the instructions' own results in their order.
  uint8_t a, b, c;
  float value;
  prunec_activation activation;
} prunec_instruction;

/// The element types that programs read and write: of 32 bits, which registers keep as they are (float32, int32), and
/// of 8, which they hold as float32. What 8 bits do not hold is written as by `prunec_op_to_int8` and
/// `prunec_op_to_uint8`; of bool anything but 0 is 1.
typedef enum { prunec_word, prunec_bool, prunec_int8, prunec_uint8 } prunec_storage;

typedef struct {
  void *elements;
  prunec_storage storage;
  /// 0 broadcasts. The innermost of an operand is 0 or 1 where it can be: those run at full speed.
  long strides[prunec_max_rank];
} prunec_operand;

/// Applies a program of element-wise instructions: y = the last instruction's result at every place of
/// `shape`. y may be the same memory as an operand of equal strides.
typedef struct {
  long rank;
  long shape[prunec_max_rank];
  long operand_count, instruction_count;
  prunec_operand operands[prunec_max_operands];
  prunec_instruction instructions[prunec_max_instructions];
  prunec_operand y;
} prunec_program;

// ---------------------------------------------------------------------------------------------------
// Rows

/// Softmax, or its logarithm, along rows of `length` elements.
typedef struct {
  bool is_logarithm;
  long rank;  ///< of the axes of rows
  long shape[prunec_max_rank];
  long length;
  const float *x;
  long x_strides[prunec_max_rank];
  float *y;  ///< may be x, with its strides
  long y_strides[prunec_max_rank];
} prunec_softmax;

/// Normalization of rows: y = (x - mean) / sqrt(variance + epsilon) * scale + bias, or with `keeps_mean` (RMS)
/// y = x / sqrt(mean of squares + epsilon) * scale + bias. Sums are taken in two passes.
typedef struct {
  bool keeps_mean;
  float epsilon;
  long rank;
  long shape[prunec_max_rank];
  long length;
  const float *x;
  long x_strides[prunec_max_rank];
  const float *scale, *bias;  ///< `[length]`, or null
  float *y;                   ///< may be x, with its strides
  long y_strides[prunec_max_rank];
} prunec_row_normalization;

/// Normalization of groups of channels over all pixels (GroupNormalization; InstanceNormalization is the case
/// of one channel a group): mean and variance of each group of each batch item.
typedef struct {
  float epsilon;
  long batch, groups, channels, pixels;  ///< channels: of one group
  const float *x;
  long x_batch, x_pixel;
  const float *scale, *bias;  ///< `[groups * channels]`, or null
  float *y;                   ///< may be x, with its strides
  long y_batch, y_pixel;
} prunec_group_normalization;

typedef enum {
  prunec_reduce_sum, prunec_reduce_mean, prunec_reduce_maximum, prunec_reduce_minimum,
  prunec_reduce_product, prunec_reduce_sum_of_squares, prunec_reduce_l1, prunec_reduce_l2,
} prunec_reduction_kind;

/// Reduces some axes away: y[kept] = kind over all places of `reduced` of x[kept, reduced].
typedef struct {
  prunec_reduction_kind kind;
  long kept_rank, reduced_rank;
  long kept_shape[prunec_max_rank], reduced_shape[prunec_max_rank];
  const float *x;
  long x_kept[prunec_max_rank], x_reduced[prunec_max_rank];
  float *y;
  long y_strides[prunec_max_rank];
} prunec_reduction;

// ---------------------------------------------------------------------------------------------------
// Moving elements

/// Copies elements of 1, 2, 4 or 8 bytes from one set of strides to another: transposes, concatenations, pads.
/// Blocks make transposes run at the speed of the caches.
typedef struct {
  long element_size;
  long rank;
  long shape[prunec_max_rank];
  const void *x;
  long x_strides[prunec_max_rank];
  void *y;
  long y_strides[prunec_max_rank];
} prunec_copy;

/// y[outer, i, inner] = x[outer, index[i], inner]: whole rows of `inner` bytes; `index` holds valid places.
typedef struct {
  long outer, count, inner;
  const void *x;
  long x_outer, x_row;  ///< in bytes
  const int64_t *index;
  void *y;
  long y_outer, y_row;
} prunec_gather;

/// Enlarges or reduces planes by interpolation: y[i, j, c] = sum over two rows and two columns of x with the given
/// weights (nearest: one of weight 1). Tables of `out_height` and `out_width` entries are made by the planner.
typedef struct {
  long batch, channels, out_height, out_width;
  const float *x;
  long x_batch, x_row, x_pixel;
  const int32_t *rows[2], *columns[2];
  const float *row_weights[2], *column_weights[2];  ///< [1] null: one neighbour only
  float *y;
  long y_batch, y_row, y_pixel;
} prunec_resize;

// ---------------------------------------------------------------------------------------------------
// Measuring

/// Work that is bound by nothing but the units for multiplication and addition: `units` times `iterations` times
/// the table's `peak_operations`.
typedef struct {
  long units, iterations;
} prunec_peak;

// ---------------------------------------------------------------------------------------------------
// The table

#define PRUNEC_KERNEL(NAME) \
  long (*NAME##_units)(const prunec_##NAME *); \
  void (*NAME)(const prunec_##NAME *, long begin, long end);

/// The kernels for one instruction set.
typedef struct {
  /// "baseline", "avx2", "avx512" or "neon".
  const char *name;
  /// How many float32 a vector holds.
  long vector_width;
  /// How many float32 the packed weights of one group take.
  long (*packed_size)(long out_channels, long in_channels, long taps);
  PRUNEC_KERNEL(packing)
  PRUNEC_KERNEL(product)
  PRUNEC_KERNEL(depthwise)
  PRUNEC_KERNEL(winograd_input)
  PRUNEC_KERNEL(winograd_output)
  PRUNEC_KERNEL(pooling)
  PRUNEC_KERNEL(program)
  PRUNEC_KERNEL(softmax)
  PRUNEC_KERNEL(row_normalization)
  PRUNEC_KERNEL(group_normalization)
  PRUNEC_KERNEL(reduction)
  PRUNEC_KERNEL(copy)
  PRUNEC_KERNEL(gather)
  PRUNEC_KERNEL(resize)
  PRUNEC_KERNEL(peak)
  /// Multiplications and additions of one iteration.
  long peak_operations;
} prunec_kernels;

#undef PRUNEC_KERNEL

/// The kernels of that name, or null where this processor lacks the instructions (or the build the kernels).
const prunec_kernels *prunec_kernels_named(const char *name);

/// The fastest kernels that this processor runs.
const prunec_kernels *prunec_kernels_best(void);

#endif
