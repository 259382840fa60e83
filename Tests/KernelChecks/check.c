#define _GNU_SOURCE
#include "check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Checks may run in several threads at once.
static _Thread_local uint64_t state;
static _Thread_local char failure[512];

/// A number that is no result of a kernel: a quiet NaN with a payload.
static const uint32_t blank = 0x7fdeadbe;

void check_begin(void) {
  state = 88172645463325252;
  failure[0] = 0;
}

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

long check_random(long low, long high) {
  return low + (long)(next() % (uint64_t)(high - low + 1));
}

float check_random_float(void) {
  return (float)(next() >> 40) / 8388608.0f - 1;
}

/// The buffers in use. Each lies between two pages that nobody may touch, at the end or at the beginning of
/// what is in between: instructions that read too much stop the program, without a sanitizer's help.
static _Thread_local struct {
  void *buffer;
  char *pages;
  size_t size;
} buffers[64];
enum { buffer_count = sizeof buffers / sizeof *buffers };

void *check_buffer(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page - 1) / page * page;
  int i = 0;
  while (i < buffer_count && buffers[i].pages) i++;
  if (i == buffer_count) abort();
  char *pages = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + page, inner, PROT_READ | PROT_WRITE) != 0) abort();
  buffers[i].pages = pages;
  buffers[i].size = inner + 2 * page;
  buffers[i].buffer = pages + page + (check_random(0, 3) ? inner - size : 0);
  return buffers[i].buffer;
}

void check_free(void *buffer) {
  if (!buffer) return;
  int i = 0;
  while (i < buffer_count && buffers[i].buffer != buffer) i++;
  if (i == buffer_count) {
    free(buffer);
    return;
  }
  if (munmap(buffers[i].pages, buffers[i].size) != 0) abort();
  buffers[i].pages = buffers[i].buffer = NULL;
}

static float *allocate(long count) {
  return check_buffer((size_t)count * sizeof(float));
}

float *check_random_buffer(long count) {
  float *buffer = allocate(count);
  for (long i = 0; i < count; i++) buffer[i] = check_random_float();
  return buffer;
}

float *check_blank_buffer(long count) {
  float *buffer = allocate(count);
  for (long i = 0; i < count; i++) memcpy(buffer + i, &blank, sizeof blank);
  return buffer;
}

bool check_is_blank(float x) {
  return memcmp(&x, &blank, sizeof blank) == 0;
}

void check_fail(const char *format, ...) {
  if (failure[0]) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(failure, sizeof failure, format, arguments);
  va_end(arguments);
}

const char *check_result(void) {
  return failure[0] ? failure : NULL;
}

bool check_is_near(float y, double x, double tolerance) {
  return y == x || fabs(y - x) <= tolerance;
}

prunec_activation check_random_activation(void) {
  // Half of the cases have none, or the commonest.
  prunec_activation y = {.function = (prunec_function)check_random(-8, prunec_gelu_tanh)};
  if ((int)y.function < 0) y.function = check_random(0, 1) ? prunec_relu : prunec_identity;
  switch (y.function) {
  case prunec_clip: y.alpha = -0.5f, y.beta = 0.75f; break;
  case prunec_leaky_relu: y.alpha = 0.1f; break;
  case prunec_silu: y.alpha = check_random(0, 1) ? 1 : 1.702f; break;
  case prunec_hard_sigmoid: y.alpha = 0.2f, y.beta = 0.5f; break;
  default: break;
  }
  return y;
}

double check_activate(prunec_activation activation, double x) {
  double alpha = activation.alpha, beta = activation.beta;
  switch (activation.function) {
  case prunec_identity: return x;
  case prunec_relu: return fmax(0, x);
  case prunec_clip: return fmin(beta, fmax(alpha, x));
  case prunec_leaky_relu: return x < 0 ? alpha * x : x;
  case prunec_sigmoid: return 1 / (1 + exp(-x));
  case prunec_silu: return x / (1 + exp(-alpha * x));
  case prunec_hard_sigmoid: return fmax(0, fmin(1, alpha * x + beta));
  case prunec_hard_swish: return x * fmax(0, fmin(1, x / 6 + 0.5));
  case prunec_tanh: return tanh(x);
  case prunec_gelu: return x * (1 + erf(x / sqrt(2))) / 2;
  case prunec_gelu_tanh:
    return x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x))) / 2;
  }
  return NAN;
}
